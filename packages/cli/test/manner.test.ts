import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { holdfast, newId, useCommandLine } from "./line.ts";

const line = useCommandLine();

test("what is not understood ends with 2 and says what is", async () => {
  expect((await line.holdfast("nothing")).exit).toBe(2);
  expect((await line.holdfast("runs", "--status", "late")).err).toContain("queued, running");
  expect((await line.holdfast("runs", "--limit", "many")).exit).toBe(2);
  expect((await line.holdfast("show")).exit).toBe(2);
  expect((await holdfast(["--help"])).exit).toBe(0);
});

test("with --json errors are JSON too, on the other stream", async () => {
  const { exit, out, err } = await line.holdfast("show", "no-such-run", "--json");
  expect([exit, out]).toEqual([3, ""]);
  expect(JSON.parse(err)).toMatchObject({
    error: { code: "RUN_NOT_FOUND", details: { runId: "no-such-run" } },
  });
});

test("a database that is away ends with 6", async () => {
  expect((await holdfast(["runs", "-d", "postgres://nobody@127.0.0.1:1/none"])).exit).toBe(6);
});

test("colour is only for a terminal", async () => {
  await line.hf.run(newId(), () => 1);
  expect((await line.holdfast("runs")).out).not.toContain("\u001b[");
  expect((await holdfast(["-d", line.url, "runs"], { colors: true })).out).toContain("\u001b[32msucceeded");
});

test.each(["bash", "zsh", "fish"])(
  "the completion script for %s knows every command and option",
  async (shell) => {
    const { out } = await holdfast(["completion", shell]);
    for (const word of ["resolve", "--did-not-happen", "doctor", "--database"]) expect(out).toContain(word);
  },
);

test("bash completes a command, and the options of one", async () => {
  const { out } = await holdfast(["completion", "bash"]);
  const complete = (words: string) =>
    execFileSync(
      "bash",
      [
        "-c",
        `${out}\nCOMP_WORDS=(${words}); COMP_CWORD=$((\${#COMP_WORDS[@]}-1)); _holdfast; echo "\${COMPREPLY[@]}"`,
      ],
      { encoding: "utf8" },
    ).trim();
  expect(complete("holdfast do")).toBe("doubts doctor");
  expect(complete("holdfast prune --older")).toBe("--older-than");
});

test("a key is shown once, listed without its text, and taken back", async () => {
  await line.holdfast("migrate");
  const { out } = await line.holdfast("keys", "new", "ana", "--scopes", "read", "approve");
  expect(out).toMatch(/^hfk_[\w-]{43}\n$/);
  const { keys } = await line.json("keys");
  expect(keys).toMatchObject([{ name: "ana", scopes: ["read", "approve"] }]);
  expect(JSON.stringify(keys)).not.toContain("hash");
  expect((await line.holdfast("keys", "new", "ana")).exit).toBe(2);
  expect((await line.holdfast("keys", "revoke", "ana")).exit).toBe(0);
  expect((await line.holdfast("keys", "revoke", "ana")).exit).toBe(2);
});

test("serve needs a strong key, tells where it listens, and stops when it is told to", async () => {
  expect((await holdfast(["serve", "-d", line.url, "--port", "0"])).exit).toBe(2);
  expect((await holdfast(["serve", "-d", line.url], { env: { HOLDFAST_KEY: "weak" } })).err).toContain(
    "too weak",
  );

  const stop = new AbortController();
  const key = "0123456789abcdefghijklmnopqrstuvwxyz";
  const statuses: number[] = [];
  const asked = Promise.withResolvers<void>();
  const serving = holdfast(["serve", "-d", line.url, "--port", "0"], {
    env: { HOLDFAST_KEY: key, HOLDFAST_LOG: "silent" },
    stop: stop.signal,
    onOut: (out) => {
      const url = /serves at (\S+)/.exec(out)?.[1];
      const ask = async (headers: Record<string, string>) =>
        statuses.push((await fetch(`${url}/v1/runs`, { headers })).status);
      void ask({})
        .then(() => ask({ authorization: `Bearer ${key}` }))
        .then(() => asked.resolve(), asked.reject);
    },
  });
  await asked.promise;
  stop.abort();
  expect((await serving).exit).toBe(0);
  expect(statuses).toEqual([401, 200]);
});
