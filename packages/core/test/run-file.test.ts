import { fc, test as property } from "@fast-check/vitest";
import { expect, test } from "vitest";
import { encode } from "../src/codec.ts";
import { parseRunFile, type RunFile, recordOf, writeRunFile } from "../src/export/run-file.ts";
import { RequestMemo } from "../src/request.ts";
import { answered, entriesOf, intended, observed, started, took } from "../src/testing/given.ts";

const none = { paths: [], patterns: [] };

const value = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withUnicodeString: true,
  maxDepth: 3,
});
const kept = value.filter((value) => {
  try {
    encode(value);
    return true;
  } catch {
    return false;
  }
});

property.prop([fc.array(kept, { maxLength: 6 }), fc.string({ unit: "binary" }).filter((id) => id !== "")])(
  "what is written is what is read again, whatever the values and the id",
  async (values, runId) => {
    const facts = values.flatMap((value, i) => [intended(`s#${i}`), observed(`s#${i}`, value)]);
    const entries = entriesOf(started, took(), ...facts).map((entry) => ({ ...entry, runId }));
    const file: RunFile = { runId, entries, blobs: new Map(), redacted: none };
    const read = await parseRunFile(writeRunFile(file));
    expect(read).toEqual(file);
    expect(writeRunFile(read)).toBe(writeRunFile(file));
  },
);

property.prop([fc.array(fc.array(fc.jsonValue(), { maxLength: 4 }), { minLength: 1, maxLength: 4 })])(
  "whatever a model is asked, its parts are recognised by their names",
  async (conversations) => {
    const memo = new RequestMemo();
    const blobs = new Map<string, string>();
    const facts = conversations.map((messages, i) => {
      const asked = memo.ask({ messages, bytes: new Uint8Array([i]) });
      for (const { hash, value } of asked.blobs()) blobs.set(hash, value);
      asked.kept();
      return answered(`model#${i}`, 1, { request: asked.request });
    });
    const file: RunFile = {
      runId: "r",
      entries: entriesOf(started, took(), ...facts),
      blobs,
      redacted: none,
    };
    expect(await parseRunFile(writeRunFile(file))).toEqual(file);
  },
);

test("a file whose entries name a blob that it does not have is damaged", async () => {
  const { request } = new RequestMemo().ask({ prompt: "x".repeat(200) });
  const entries = entriesOf(started, took(), answered("model#0", 1, { request }));
  const file = writeRunFile({ runId: "r", entries, blobs: new Map(), redacted: none });
  await expect(parseRunFile(file)).rejects.toMatchObject({ code: "LEDGER_CORRUPT" });
});

test("a blob that is missing is missing from what a record gives", async () => {
  const record = recordOf({ runId: "r", entries: [], blobs: new Map([["a", "1"]]) });
  expect(await record.blobs(["a", "b"])).toEqual(new Map([["a", "1"]]));
});
