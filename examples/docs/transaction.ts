import { openHoldfast, step, tx } from "@holdfast/core";

const hf = await openHoldfast();
const order = { id: "42", cents: 3900 };

// #region transaction
await hf.run("order-42", async () => {
  await step(
    "book",
    async () => {
      await tx().query("insert into bookings (order_id, cents) values ($1, $2)", [order.id, order.cents]);
    },
    { effect: "transaction", input: order },
  );
});
// #endregion
await hf.close();
