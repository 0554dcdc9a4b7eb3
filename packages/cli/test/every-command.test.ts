import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { program } from "../src/program.ts";

type Command = ReturnType<typeof program>;

const silent = { out() {}, err() {}, width: 80, colors: false, env: {}, stop: new AbortController().signal };

const visible = (command: Command): Command[] =>
  command
    .createHelp()
    .visibleCommands(command)
    .filter((inner) => inner.name() !== "help");

/** The words that name each command that the help shows: `budgets raise`. */
const namesOf = (command: Command, above = ""): string[] =>
  visible(command).flatMap((inner) => {
    const name = `${above}${inner.name()}`;
    return [name, ...namesOf(inner, `${name} `)];
  });

test("each command of the command line is run by a test", async () => {
  const folder = new URL(".", import.meta.url);
  const files = (await readdir(folder)).filter(
    (file) => file.endsWith(".test.ts") && !file.startsWith("every-"),
  );
  const tests = (await Promise.all(files.map((file) => readFile(new URL(file, folder), "utf8")))).join("\n");
  const calls = [...tests.matchAll(/(?:holdfast|json|new Process)\(\s*\[?([^)]*)/g)].map(([, args = ""]) =>
    [...args.matchAll(/"([^"]*)"/g)].map(([, word]) => word).join(" "),
  );
  const isRun = (name: string) => calls.some((call) => ` ${call} `.includes(` ${name} `));
  expect(namesOf(program(silent)).filter((name) => !isRun(name))).toEqual([]);
});
