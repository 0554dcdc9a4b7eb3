import * as newest from "@openai/agents";
import * as oldest from "agents-oldest";
import { expectTypeOf, test } from "vitest";
import { PostgresSession, type requestInput, withDurability } from "../src/index.ts";

// What these tests say is checked by the type check. Run, they only look at the modules.

test("a class that is held has the type that it had", () => {
  expectTypeOf(withDurability(oldest.Runner)).toEqualTypeOf<typeof oldest.Runner>();
  expectTypeOf(withDurability(newest.Runner)).toEqualTypeOf<typeof newest.Runner>();
});

test("a session of ours is one of the SDK that is installed", () => {
  expectTypeOf<PostgresSession>().toExtend<newest.Session>();
  expectTypeOf(PostgresSession).toBeConstructibleWith({ sessionId: "s", pool: {} as import("pg").Pool });
});

test("requestInput is a tool of every version", () => {
  expectTypeOf<ReturnType<typeof requestInput>>().toExtend<newest.Tool>();
  expectTypeOf<ReturnType<typeof requestInput>>().toExtend<oldest.Tool>();
});
