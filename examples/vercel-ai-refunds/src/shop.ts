/** The shop that the tools work on. What it does cannot be undone, so it says so out loud. */
export const shop = {
  lookUp: (orderId: string) => ({ orderId, item: "kettle", cents: 3900, customer: "customer@example.com" }),
  refund: (orderId: string, cents: number) => done("refund", `${cents} cents for order ${orderId}`),
  email: (to: string, body: string) => done("e-mail", `to ${to}: ${body}`),
};

/** It has happened. With DIE_AFTER=refund the process dies now, and nobody hears of it. */
function done(what: string, of: string): { readonly done: string } {
  console.log(`${what} ${of}`);
  if (process.env.DIE_AFTER === what) process.kill(process.pid, "SIGKILL");
  return { done: what };
}
