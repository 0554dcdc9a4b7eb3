import { fc, test as forAll } from "@fast-check/vitest";
import { describe, expect, test } from "vitest";
import { decode, encodeError } from "../src/codec.ts";
import { Redactor, secretsIn } from "../src/redact.ts";

const SECRET = "hunter2-correct-horse";
const none = new Redactor();

/** What would stand in the ledger. */
const keptOf = (error: unknown, redactor = none) => encodeError(redactor.apply("error", error));

describe("a path", () => {
  test.each<[string, unknown, unknown]>([
    ["output.ssn", { ssn: SECRET, name: "ana" }, { ssn: "[redacted]", name: "ana" }],
    [
      "output.*.ssn",
      { a: { ssn: 1 }, b: { ssn: 2 } },
      { a: { ssn: "[redacted]" }, b: { ssn: "[redacted]" } },
    ],
    ["output.**.ssn", { a: [{ b: { ssn: 1 } }] }, { a: [{ b: { ssn: "[redacted]" } }] }],
    ["*.ssn", { ssn: 1 }, { ssn: "[redacted]" }],
    ["output.1", [1, 2, 3], [1, "[redacted]", 3]],
    ["input.ssn", { ssn: 1 }, { ssn: 1 }],
    ["output", { all: 1 }, "[redacted]"],
  ])("%s leads to what is taken out", (path, value, expected) => {
    expect(new Redactor([path]).apply("output", value)).toEqual(expected);
  });

  test.each(["", ".", "a..b", "a."])("that is none is refused: %j", (path) => {
    expect(() => new Redactor([path])).toThrow("(INVALID_ARGUMENT)");
  });

  forAll.prop([fc.object({ maxDepth: 4 })])("that leads nowhere leaves the very value", (value) => {
    expect(new Redactor(["output.no_such_name_anywhere"]).apply("output", value)).toBe(value);
  });
});

describe("a request", () => {
  test("keeps what is said, and drops secrets and headers from how it is sent", () => {
    const request = {
      prompt: [{ token: "a word" }],
      apiKey: SECRET,
      headers: { "x-anything": SECRET },
      providerOptions: {
        acme: { apiKey: SECRET, headers: { "x-any": SECRET }, deep: [{ client_secret: SECRET }], n: 1 },
      },
    };
    expect(none.apply("request", request)).toEqual({
      prompt: [{ token: "a word" }],
      apiKey: "[redacted]",
      headers: "[redacted]",
      providerOptions: {
        acme: { apiKey: "[redacted]", headers: "[redacted]", deep: [{ client_secret: "[redacted]" }], n: 1 },
      },
    });
  });

  test("keeps the count of tokens: a name that only ends like a secret's is none", () => {
    const request = { maxTokens: 10, providerOptions: { acme: { token_budget: 3, tokens: 4 } } };
    expect(none.apply("request", request)).toBe(request);
  });
});

describe("the text of an error", () => {
  test.each([
    ["an address with a password", `connect postgres://app:${SECRET}@db:5432/x failed`],
    ["an address with a key", `GET https://api.test/v1?alt=json&key=${SECRET} failed`],
    ["an address with a token", `GET https://api.test/v1?access_token=${SECRET}&a=1`],
    ["a header", `sent Authorization: Bearer ${SECRET}`],
    ["a header in JSON", `{"x-api-key":"${SECRET}","a":1}`],
    ["a cookie", `set-cookie: ${SECRET}; Path=/`],
    ["a bearer token by itself", `refused Bearer ${SECRET}`],
    ["an assignment", `password=${SECRET} is wrong`],
  ])("is kept without %s", (_, message) => {
    const kept = keptOf(new Error(message, { cause: { note: message } }));
    expect(kept).not.toContain(SECRET);
    expect((decode(kept) as Error).message).toContain("[redacted]");
  });

  test("is kept as it is where there is none, and so is its stack", () => {
    const error = new Error("429: slow down, 12 tokens left, see https://api.test/docs?page=2");
    expect(none.apply("error", error)).toBe(error);
  });

  test("is masked in a copy: whoever catches the error has it whole", () => {
    const error = new Error(`Bearer ${SECRET}`);
    keptOf(error);
    expect(error.message).toBe(`Bearer ${SECRET}`);
  });

  test("is kept without the values of the environment that are named like secrets", () => {
    const env = {
      OPENAI_API_KEY: SECRET,
      MY_TOKEN: "short",
      HOME: "/home/somebody",
      A_PASSWORD: "s3cr3t-enough",
    };
    const redactor = new Redactor([], { secrets: secretsIn(env) });
    const kept = keptOf(new Error(`wrong key ${SECRET}, s3cr3t-enough, short, /home/somebody`), redactor);
    expect((decode(kept) as Error).message).toBe("wrong key [redacted], [redacted], short, /home/somebody");
  });
});

const names = fc.constantFrom(
  "authorization",
  "cookie",
  "apiKey",
  "x-api-key",
  "password",
  "token",
  "headers",
  "requestHeaders",
);
const secrets = fc.stringMatching(/^[A-Za-z0-9]{16,40}$/);

forAll.prop([secrets, names, fc.integer({ min: 0, max: 6 }), fc.boolean()])(
  "a secret by its name is not kept of an error, however deep the library attached it",
  (secret, name, depth, inCause) => {
    let attached: unknown = { [name]: name.endsWith("eaders") ? { "x-own": secret } : secret };
    for (let d = 0; d < depth; d++) attached = d % 2 === 0 ? { inner: attached } : [attached];
    const error = inCause
      ? new Error("outer", { cause: Object.assign(new Error("inner"), { attached }) })
      : Object.assign(new Error("outer"), { attached });
    expect(keptOf(error)).not.toContain(secret);
  },
);
