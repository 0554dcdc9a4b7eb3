// #region open
import { HoldfastError, idempotencyKey, now, openHoldfast, randomUUID, step } from "@holdfast/core";

const hf = await openHoldfast();
// #endregion

const fetchOrder = async (id: string) => ({ id, cents: 3900 });
const pay = async (request: { cents: number; key: string }) => ({ paid: request.cents });
const sendMail = async (text: string) => ({ sent: text.length });

// #region run
const receipt = await hf.run(
  "order-42",
  async () => {
    const order = await step("fetch order", () => fetchOrder("42"), { effect: "read", input: "42" });
    const paid = await step("pay", () => pay({ cents: order.cents, key: idempotencyKey() }), {
      effect: "idempotent",
      input: order,
    });
    await step("mail", () => sendMail(`paid ${paid.paid}`), { input: paid }); // no effect named: once
    return { number: randomUUID(), at: now(), ...paid };
  },
  { agent: "orders", input: { orderId: "42" } },
);
// #endregion
console.log(receipt);

// #region entries
for (const entry of await hf.entries("order-42")) {
  console.log(entry.seq, entry.epoch, entry.kind, "step" in entry ? entry.step : "");
}
const { status, value, attempts } = await hf.runs.get("order-42");
// #endregion
console.log(status, value, attempts);

// #region side-by-side
await hf.run("balances", () =>
  Promise.all(
    ["alice", "bob"].map((owner) =>
      step("balance", () => fetchOrder(owner), { effect: "read", input: owner }),
    ),
  ),
);
// #endregion

// #region waiting
try {
  await hf.run("order-42", async () => "…");
} catch (error) {
  if (!HoldfastError.is(error, "RUN_WAITING")) throw error;
  console.log(error.details.waitingOn, error.details.doubts);
}
// #endregion

// #region close
await hf.close();
// #endregion
