import { HoldfastError } from "@holdfast/core";
import { createKey, listKeys, newKey, revokeKey, SCOPES, type Scope, serverTables } from "@holdfast/server";
import { type Command, Option } from "commander";
import { connected } from "../connected.ts";
import { table } from "../show/table.ts";
import { ago } from "../show/time.ts";
import { paintOn, type Terminal } from "../terminal.ts";

export function addKeys(holdfast: Command, terminal: Terminal): void {
  const keys = holdfast
    .command("keys")
    .description("keys of the control API")
    .action(async (_: unknown, command: Command) => {
      await connected(command, terminal, async ({ hf, say }) => {
        const found = await listKeys(await serverTables(hf));
        say({ keys: found.map(({ name, scopes, createdAt }) => ({ name, scopes, createdAt })) }, () =>
          found.length === 0
            ? ["There are none: holdfast keys new <name>."]
            : table(
                ["name", "scopes", "made"],
                found.map(({ name, scopes, createdAt }) => [name, scopes.join(" "), `${ago(createdAt)} ago`]),
                paintOn(terminal),
              ),
        );
      });
    });

  keys
    .command("new")
    .description("make a key, and show its text: it is kept nowhere")
    .argument("<name>", "stands as `by` in the ledger")
    .addOption(new Option("--scopes <scope...>").choices(SCOPES).default(["read"]))
    .action(async (name: string, { scopes }: { scopes: Scope[] }, command: Command) => {
      const { text, key } = newKey(name, scopes);
      await connected(command, terminal, async ({ hf, say }) => {
        await createKey(await serverTables(hf), key);
        say({ name, scopes, key: text }, () => [text]);
      });
    });

  keys
    .command("revoke")
    .description("take a key back; servers stop taking it within 5 seconds")
    .argument("<name>")
    .action(async (name: string, _: unknown, command: Command) => {
      await connected(command, terminal, async ({ hf, say }) => {
        if (!(await revokeKey(await serverTables(hf), name)))
          throw new HoldfastError("INVALID_ARGUMENT", {
            argument: "name",
            why: `is of no key that is good: ${name}`,
          });
        say({ revoked: name }, () => [`The key ${name} is revoked.`]);
      });
    });
}
