import { ask, HoldfastError, openHoldfast, type PolicyCall } from "@holdfast/core";
import { z } from "zod";

// #region rules
type Refund = PolicyCall<{ orderId: string; cents: number }>;

const hf = await openHoldfast({
  policy: [
    { tool: "delete_*", then: "deny", reason: "Nothing is deleted by an agent." },
    { tool: "issue_refund", limit: { atMost: 3, per: "run" }, then: "deny" },
    { tool: "issue_refund", limit: { atMost: 10, per: "hour", tag: "tenant:*" }, then: "ask" },
    {
      name: "large refunds",
      tool: "issue_refund",
      when: ({ input }: Refund) => input.cents > 50_000,
      then: "ask",
      reason: "It is more than $500.",
      need: 2,
      of: ["ana", "ben", "cleo"],
      expiresIn: "8h",
    },
    { tool: "lookup_*", then: "allow" },
  ],
  policyDefault: "ask",
  policyVersion: "2026-11-20",
});
// #endregion

const agent = async (): Promise<string> => "done";

// #region run
try {
  console.log(await hf.run("ticket-42", agent));
} catch (error) {
  if (!HoldfastError.is(error, "RUN_WAITING")) throw error;
  console.log(`waits for ${error.details.waitingOn}: ${error.details.questions.join(", ")}`);
}
// #endregion

// #region answer
for (const { id, runId, name, input, question } of await hf.questions.list()) {
  console.log(`${runId} asks: ${question}`, name, input);
  await hf.questions.answer(id, { approve: true, by: "ana", comment: "called the customer" });
}
// #endregion

// #region others
const [question] = await hf.questions.list({ runId: "ticket-42" });
if (question) {
  // No. The model is told who said so, and the comment.
  await hf.questions.answer(question.id, { approve: false, by: "ben", comment: "wrong customer" });
  // Yes, but with these arguments instead. They must fit the tool's schema.
  await hf.questions.answer(question.id, {
    approve: true,
    input: { orderId: "42", cents: 1000 },
    by: "ben",
  });
}
// #endregion

// #region ask
const Address = z.object({ street: z.string(), city: z.string() });

const ship = async () => {
  const address = await ask({ question: "Where to?", schema: Address, expiresIn: "2d", by: ["ana", "ben"] });
  return `to ${address.city}`;
};
// #endregion
console.log(await hf.run("parcel-7", ship));

// #region input
const [where] = await hf.questions.list({ runId: "parcel-7" });
if (where)
  await hf.questions.answer(where.id, { value: { street: "Kelp Way 7", city: "Bergen" }, by: "ana" });
// #endregion

await hf.close();
