import fc from "fast-check";
import { expect, test } from "vitest";
import { aRun, keyOf, pathOf, useServer } from "./served.ts";

const server = useServer({ writesPerMinute: 1e9 });

interface Operation {
  readonly parameters?: readonly { readonly in: string; readonly name: string }[];
  readonly requestBody?: unknown;
}

const ids = fc.oneof(
  fc
    .string({ unit: "binary", minLength: 1, maxLength: 600 })
    .map((text) => encodeURIComponent(text.toWellFormed())),
  fc.constantFrom(
    "%",
    "%zz",
    "%00",
    "%c3%28",
    "%ed%a0%80",
    "%2F%2F",
    "..%2f..%2fetc",
    "'; drop table runs; --",
    "\u202e",
  ),
  fc.string({ maxLength: 40 }).map((text) => text.replaceAll(/[/?#\s]/g, "_")),
);
const values = fc.oneof(
  fc.string({ unit: "binary", maxLength: 50 }).map((text) => text.toWellFormed()),
  fc.integer().map(String),
  fc.double().map(String),
  fc.constantFrom("", "-1", "1e9", "99999999999999999999", "null", "\0", "[]", "true", "2147483648"),
);
const anything = fc.oneof(
  fc.json({ maxDepth: 3 }),
  fc.constantFrom(
    "",
    "{",
    "null",
    "[]",
    '{"__proto__":{"a":1}}',
    '{"step":1}',
    '{"step":"a\\u0000b","happened":1}',
    "\xff",
    "1e999",
  ),
  fc
    .record({
      step: values,
      happened: fc.jsonValue(),
      olderThan: values,
      status: fc.jsonValue(),
      to: fc.jsonValue(),
    })
    .map((v) => JSON.stringify(v)),
);

test("no request, however malformed, is answered with a fault, and the server goes on", {
  timeout: 120_000,
}, async () => {
  const { paths } = (await server.get("/v1/openapi.json")).body as {
    paths: Record<string, Record<string, Operation>>;
  };
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      path,
      method: method.toUpperCase(),
      ...operation,
    })),
  );
  expect(operations.length).toBeGreaterThan(8);
  const real = encodeURIComponent(await aRun(server.hf));
  for (const { path, method, parameters = [], requestBody } of operations) {
    const names = parameters.filter((parameter) => parameter.in === "query").map(({ name }) => name);
    const query = fc.dictionary(fc.oneof(fc.constantFrom("", "unknown", ...names), values), values, {
      maxKeys: 4,
    });
    const body = requestBody ? fc.option(anything, { nil: undefined }) : fc.constant(undefined);
    const contentType = fc.constantFrom(
      "application/json",
      "text/plain",
      "",
      "application/json; charset=latin1",
      "multipart/form-data",
    );
    const lastEventId = fc.constantFrom("0", "-1", "x", "99999999999", "");
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(ids, fc.constant(real)),
        query,
        body,
        contentType,
        lastEventId,
        async (id, query, body, contentType, lastEventId) => {
          const url = `${path.replaceAll(/\{[^}]+\}/g, () => id)}?${String(new URLSearchParams(query))}`;
          const headers = { "content-type": contentType, "last-event-id": lastEventId };
          const status = await statusOf(method, url, headers, body);
          expect([method, url, body, status < 500]).toEqual([method, url, body, true]);
        },
      ),
      { numRuns: 150 },
    );
  }
  expect((await server.get("/healthz", null)).status).toBe(200);
});

/** Asks, and does not wait for a stream that has no end. */
async function statusOf(method: string, path: string, headers: Record<string, string>, body?: string) {
  const response = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${keyOf("ana")}`, ...headers },
    ...(body === undefined ? {} : { body }),
  });
  await response.body?.cancel();
  return response.status;
}

test("methods that a route does not take, and routes that are none, are refused as such", async () => {
  for (const method of ["PUT", "PATCH", "POST", "PROPFIND"]) {
    const { status } = await server.ask(method, "/v1/runs/x/entries");
    expect([method, status]).toEqual([method, 404]);
  }
  expect((await server.get("/v1/nothing/here")).body.code).toBe("NO_SUCH_ROUTE");
});

test("a path that is not percent-encoded as it should be names no run", async () => {
  expect((await server.get("/v1/runs/%zz")).status).toBe(404);
  expect((await server.get("/v1/runs/%00")).body).toMatchObject({ status: 400, code: "INVALID_ARGUMENT" });
  const id = await aRun(server.hf, { id: "a/b?c#d%e" });
  expect((await server.get(pathOf(id))).body.id).toBe(id);
});
