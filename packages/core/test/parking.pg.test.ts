import { expect, test } from "vitest";
import { receive } from "../src/index.ts";
import { useHoldfast } from "./opened.ts";
import { newId } from "./store.ts";

const { open, openTapped } = useHoldfast();

test("what comes in while a run that parks still writes is not waited for: the run goes on", async () => {
  const sender = await open();
  const id = newId();
  let isSent = false;
  // The message is there before the record that says that there was none, and is read with it.
  const holdfast = await openTapped(async (text, send) => {
    if (text.includes("with want") && !isSent) {
      isSent = true;
      await sender.send(id, "hello", { by: "ana" });
    }
    return await send();
  });
  expect(await holdfast.run(id, () => receive({ wait: true }))).toEqual(["hello"]);
  const notes = (await holdfast.entries(id)).filter(({ kind }) => kind === "note");
  expect(notes).toEqual([]);
});
