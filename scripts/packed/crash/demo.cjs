// The crash demo, on packages that the caller has loaded as a user would. A worker is killed while its refund is under
// way; another goes on. Where the outcome is not what was promised, the process fails.

const assert = require("node:assert/strict");
const { fork } = require("node:child_process");
const { once } = require("node:events");
const { createServer } = require("node:http");
const { setTimeout: pause } = require("node:timers/promises");

const RUN = "order-42";
const SECONDS_MAX = 90;
/** The embedded server stops by itself so long after its last client has gone, at the latest. */
const SERVER_STOPS_MS_MAX = 30_000;

exports.demo = async function demo(packages, program) {
  if (process.send) await work(packages);
  else await conduct(packages, program);
};

async function conduct({ core, embedded }, program) {
  const late = setTimeout(
    () => assert.fail(`not finished within ${SECONDS_MAX} seconds`),
    SECONDS_MAX * 1000,
  );
  // The workers join this server by the name "embedded": its folder is .holdfast, where they run.
  const server = await embedded.startEmbeddedPostgres({ folder: ".holdfast" });
  const world = await startWorld();
  const env = { ...process.env, CRASH_WORLD_URL: world.url };
  const start = () => fork(program, { env });

  const first = start();
  const died = once(first, "exit").then(() => assert.fail("the first worker ended before its time"));
  await Promise.race([world.refunded, died]);
  died.catch(() => {}); // it is killed
  first.kill("SIGKILL");
  assert.deepEqual(await once(first, "exit"), [null, "SIGKILL"]);

  const second = start();
  const said = once(second, "message");
  assert.deepEqual(await once(second, "exit"), [0, null]);
  assert.deepEqual(await said, ["Order 42 is refunded.", undefined]);

  const hf = await core.openHoldfast({ database: "embedded" });
  const entries = await hf.entries(RUN);
  const { status, epoch } = await hf.runs.get(RUN);
  await hf.close();
  const seen = {
    status,
    epoch,
    dispatches: entries.filter((entry) => entry.kind === "intent" && entry.name === "issue_refund").length,
    requests: world.refunds.length,
    refunds: new Set(world.refunds).size,
    orders: world.count("/orders"),
    paid: world.count("/model"),
  };
  console.log(seen);
  assert.deepEqual(seen, {
    status: "succeeded",
    epoch: 2,
    dispatches: 2,
    requests: 2,
    refunds: 1, // by their key: the same key again is the same refund
    orders: 1,
    paid: 2,
  });

  world.close();
  await stopped(server.pid);
  clearTimeout(late);
}

async function work({ core, adapter, ai }) {
  process.once("disconnect", () => process.exit(1)); // the conductor is gone: leave no orphan behind
  process.channel.unref();
  const { generateText, tool, jsonSchema, isStepCount } = adapter.withDurability(ai);
  const hf = await core.openHoldfast({
    database: "embedded",
    tools: { issue_refund: { effect: "idempotent" } },
  });
  const issue_refund = tool({
    description: "Pays money back.",
    inputSchema: jsonSchema({ type: "object", properties: { cents: { type: "integer" } } }),
    execute: (refund) => post("/refunds", refund, core.idempotencyKey()),
  });
  const answer = async () => {
    const order = await core.step("find the order", () => post("/orders", { id: 42 }));
    const options = { model, tools: { issue_refund }, stopWhen: isStepCount(5) };
    return (await generateText({ ...options, prompt: JSON.stringify(order) })).text;
  };
  const text = await hf.run(RUN, answer, { onLeased: "wait" });
  await hf.close();
  process.send(text); // nothing is left now that would keep the process
}

const toolCall = {
  type: "tool-call",
  toolCallId: "call-1",
  toolName: "issue_refund",
  input: '{"cents":3900}',
};
const text = { type: "text", text: "Order 42 is refunded." };
const count = { total: 10 };

/** A model by the specification of ai 7. That it was asked is counted where no crash takes the count away. */
const model = {
  specificationVersion: "v4",
  provider: "scripted",
  modelId: "scripted",
  supportedUrls: {},
  async doGenerate({ prompt }) {
    await post("/model", {});
    const isAnswered = prompt.some(({ role }) => role === "assistant");
    return {
      content: [isAnswered ? text : toolCall],
      finishReason: { unified: isAnswered ? "stop" : "tool-calls" },
      usage: { inputTokens: count, outputTokens: count },
      warnings: [],
    };
  },
};

async function post(path, body, key = "") {
  const headers = { "content-type": "application/json", "idempotency-key": key };
  const url = `${process.env.CRASH_WORLD_URL}${path}`;
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  return await response.json();
}

/** What is outside: it outlives the workers, counts what reaches it, and never answers the first refund. */
async function startWorld() {
  const paths = [];
  const refunds = [];
  const refunded = Promise.withResolvers();
  const server = createServer((request, response) => {
    paths.push(request.url);
    if (request.url === "/refunds" && refunds.push(request.headers["idempotency-key"]) === 1)
      refunded.resolve();
    else response.writeHead(200, { "content-type": "application/json" }).end('{"ok":true}');
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    refunds,
    refunded: refunded.promise,
    count: (path) => paths.filter((each) => each === path).length,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Nobody has stopped the embedded server: it does so itself. */
async function stopped(pid) {
  const patience = performance.now() + SERVER_STOPS_MS_MAX;
  while (isAlive(pid)) {
    assert.ok(performance.now() < patience, `the embedded server, process ${pid}, goes on without clients`);
    await pause(100);
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}
