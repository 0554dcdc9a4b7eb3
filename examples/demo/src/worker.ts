import { HoldfastError, openHoldfast } from "@holdfast/core";
import { agents, isFramework } from "./agents/index.ts";
import type { Ticket } from "./ticket.ts";

const framework = process.env.DEMO_FRAMEWORK ?? "vercel-ai";
if (!isFramework(framework)) throw new Error(`There is no framework ${framework} in this demo.`);
const { supportAgent } = await agents[framework]();

const ticket: Ticket = { orderId: "42", text: "The kettle arrived broken. I would like my money back." };

async function answerDurably(runId: string): Promise<void> {
  const hf = await openHoldfast({
    database: process.env.DATABASE_URL,
    tools: {
      lookup_order: { effect: "read" },
      // --effect once leaves this line out. What is not declared is once, as email_customer is.
      ...(process.env.DEMO_EFFECT === "idempotent" && { issue_refund: { effect: "idempotent" } }),
    },
  });
  try {
    // Holdfast, line 3 of 3. A worker that died a moment ago still holds the run's lease: wait for it.
    const text = await hf.run(runId, () => supportAgent(ticket), {
      agent: "support",
      input: ticket,
      onLeased: "wait",
    });
    console.log(text);
  } catch (error) {
    if (!HoldfastError.is(error, "RUN_WAITING")) throw error;
    console.log(error.message);
  } finally {
    await hf.close();
  }
}

async function answerUnprotected(): Promise<void> {
  console.log(await supportAgent(ticket));
}

// The conductor is gone: leave no orphan behind. Without it, as in your own worker, there is no channel.
process.once("disconnect", () => process.exit(1));
process.channel?.unref();

await (process.env.DEMO_UNPROTECTED ? answerUnprotected() : answerDurably(process.argv[2] ?? "order-42"));
