import { step } from "@holdfast/core";
import { expect, test } from "vitest";
import { createApi } from "../src/index.ts";
import { aRun, keyOf, keys, newId, pathOf, useServer } from "./served.ts";

const server = useServer();

const priced = async (cents: number) => {
  const id = newId();
  await server.hf.run(id, () => step("price", () => ({ cents }), { effect: "read" }));
  return id;
};
const diffPath = (a: string, b: string) => `/v1/diff?a=${encodeURIComponent(a)}&b=${encodeURIComponent(b)}`;

test("two runs are compared step by step", async () => {
  const { body } = await server.get(diffPath(await priced(5), await priced(6)));
  expect(body).toMatchObject({ same: false, steps: [{ at: "changed", name: "price" }] });
  expect(JSON.stringify(body)).toMatch(/\+.*6/);
  expect((await server.get(diffPath(await priced(5), "none"))).status).toBe(404);
});

test("where paths are kept out of responses, a comparison tells where runs differ and not how", async () => {
  const api = createApi(server.hf, { keys, redact: ["output.cents"] });
  const path = diffPath(await priced(51_423), await priced(67_521));
  const response = await api.request(path, { headers: { authorization: `Bearer ${keyOf("reader")}` } });
  const text = await response.text();
  expect(text).toContain("cents");
  expect(text).not.toMatch(/51423|51_423|67521/);
});

test("a run is exported as a file, without what is kept out of responses", async () => {
  const id = await aRun(server.hf, { input: { card: "4242424242" } });
  const { body, headers } = await server.get(`${pathOf(id)}/export`);
  expect(headers.get("content-disposition")).toContain("attachment");
  expect(body).toContain("4242424242");
  const api = createApi(server.hf, { keys, redact: ["input.card"] });
  const response = await api.request(`${pathOf(id)}/export`, {
    headers: { authorization: `Bearer ${keyOf("reader")}` },
  });
  expect(await response.text()).not.toContain("4242424242");
});
