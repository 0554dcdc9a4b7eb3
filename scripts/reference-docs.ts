// docs/reference/rest-api.md from the OpenAPI document, docs/reference/cli.md from the command line itself. With --check
// nothing is written: it fails when a page is not what the code says. Run with --conditions=@holdfast/source.

import { readFileSync, writeFileSync } from "node:fs";
import { exits } from "../packages/cli/src/exit.ts";
import { program } from "../packages/cli/src/program.ts";
import { Holdfast } from "../packages/core/src/index.ts";
import { createApi } from "../packages/server/src/index.ts";

type Command = ReturnType<typeof program>;

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
}

interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly security?: readonly { readonly key: readonly string[] }[];
  readonly parameters?: readonly {
    readonly in: string;
    readonly name: string;
    readonly required?: boolean;
    readonly description?: string;
    readonly schema: Schema;
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<
    Record<
      string,
      {
        readonly description: string;
        readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
      }
    >
  >;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

const pages = { "docs/reference/rest-api.md": await restApi(), "docs/reference/cli.md": commandLine() };
for (const [path, wanted] of Object.entries(pages)) {
  if (!process.argv.includes("--check")) writeFileSync(path, wanted);
  else if (readFileSync(path, "utf8") !== wanted) {
    console.error(`${path} is not what the code says. Run: pnpm docs:reference`);
    process.exitCode = 1;
  }
}

async function restApi(): Promise<string> {
  const api = createApi(new Holdfast(), { dev: true });
  const { paths, components } = (await (
    await api.request("http://localhost/v1/openapi.json")
  ).json()) as Document;
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => routeText(method.toUpperCase(), path, operation)),
  );
  const schemas = Object.entries(components.schemas)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, schema]) => [
      `## ${name}`,
      schema.description && `${schema.description}.`,
      shapeText(schema, components.schemas),
    ]);
  return text([
    "<!-- Written by scripts/reference-docs.ts from the OpenAPI document. Do not edit; run: pnpm docs:reference -->",
    "# REST API",
    "The routes of `createApi` and of `holdfast serve`. The same as OpenAPI 3.1 is served at `/v1/openapi.json`, and as a page to try them on at `/reference`. Ids stand percent-encoded in paths. How keys, scopes, errors and streams work is told in [the control API](../guides/control-api.md).",
    ...routes.flat(),
    ...schemas.flat(),
  ]);
}

function routeText(method: string, path: string, operation: Operation): (string | undefined)[] {
  const { summary, description, security, parameters = [], requestBody, responses } = operation;
  const scope = security?.[0]?.key[0];
  const body = requestBody?.content["application/json"]?.schema;
  const asked = parameters.filter((parameter) => parameter.in !== "path");
  return [
    `## ${method} ${path}`,
    `${summary}. ${description ?? ""}`.trim(),
    scope ? `Scope \`${scope}\`.` : security ? "Any key." : "No key.",
    asked.length === 0
      ? undefined
      : rows(
          ["parameter", "in", "type", ""],
          asked.map(({ name, in: where, schema, description }) => [
            `\`${name}\``,
            where,
            typeText(schema),
            description ?? "",
          ]),
        ),
    body ? `Body: ${typeText(body)}.` : undefined,
    Object.entries(responses)
      .filter(([status]) => !status.includes("X"))
      .map(([status, { description, content }]) => {
        const [type, media] = Object.entries(content ?? {})[0] ?? [];
        const shape =
          type === undefined
            ? ""
            : type === "application/json" && media
              ? `: ${typeText(media.schema)}`
              : `: ${type}`;
        return `- \`${status}\` ${description}${shape}`;
      })
      .join("\n"),
  ];
}

function shapeText(schema: Schema, schemas: Document["components"]["schemas"]): string | undefined {
  const whole = schema.allOf ? merged(schema.allOf, schemas) : schema;
  const either = whole.anyOf ?? whole.oneOf;
  if (either) return either.map((each) => `- ${typeText(each)}`).join("\n");
  if (!whole.properties) return undefined;
  const { required = [] } = whole;
  return rows(
    ["field", "type", ""],
    Object.entries(whole.properties).map(([name, field]) => [
      `\`${name}\`${required.includes(name) ? "" : "?"}`,
      typeText(field),
      field.description ?? "",
    ]),
  );
}

/** One that extends another has the fields of both. */
function merged(parts: readonly Schema[], schemas: Document["components"]["schemas"]): Schema {
  const all = parts.map(({ $ref, ...part }) =>
    $ref ? (schemas[$ref.slice($ref.lastIndexOf("/") + 1)] ?? part) : part,
  );
  return {
    properties: Object.assign({}, ...all.map(({ properties }) => properties ?? {})) as Record<string, Schema>,
    required: all.flatMap(({ required = [] }) => required),
  };
}

function typeText(schema: Schema): string {
  const { $ref, type, format, enum: values, const: value, properties, additionalProperties, items } = schema;
  if ($ref) {
    const name = $ref.slice($ref.lastIndexOf("/") + 1);
    return `[${name}](#${name.toLowerCase()})`;
  }
  if (schema.allOf) return schema.allOf.map(typeText).join(" and ");
  const either = schema.anyOf ?? schema.oneOf;
  if (either) return either.map(typeText).join(" or ");
  if (value !== undefined) return `\`${JSON.stringify(value)}\``;
  if (values) return values.map((each) => `\`${String(each)}\``).join(", ");
  if (items) return `list of ${typeText(items)}`;
  if (properties) {
    const { required = [] } = schema;
    const fields = Object.entries(properties).map(
      ([name, field]) => `\`${name}\`${required.includes(name) ? "" : "?"}: ${typeText(field)}`,
    );
    return `{ ${fields.join("; ")} }`;
  }
  if (typeof additionalProperties === "object") return `record of ${typeText(additionalProperties)}`;
  if (type === undefined) return "anything";
  const types = typeof type === "string" ? [type] : type;
  return `${types.join(" or ")}${format ? ` (${format})` : ""}`;
}

function commandLine(): string {
  const holdfast = program({
    out() {},
    err() {},
    width: Number.POSITIVE_INFINITY,
    colors: false,
    env: {},
    stop: new AbortController().signal,
  });
  const shown = holdfast
    .createHelp()
    .visibleCommands(holdfast)
    .filter((command) => command.name() !== "help");
  return text([
    "<!-- Written by scripts/reference-docs.ts from the command line. Do not edit; run: pnpm docs:reference -->",
    "# Command line",
    "`holdfast`, of the package `holdfast`. Text for people by default, coloured on a terminal only (`NO_COLOR` turns it off); with `--json` one JSON document, of `tail` one a line, with the fields of the [REST API](rest-api.md), and errors as `{ error: { code, message, details } }` on the other stream.",
    "Every command takes:",
    optionsText(holdfast),
    "## Exit codes",
    rows(
      ["code", ""],
      Object.values(exits).map(([code, says]) => [String(code), says]),
    ),
    ...shown.flatMap((command) => [
      ...commandText(command, `holdfast ${command.name()}`),
      ...command.commands.flatMap((inner) =>
        commandText(inner, `holdfast ${command.name()} ${inner.name()}`),
      ),
    ]),
    "## Environment",
    rows(
      ["variable", ""],
      [
        ["`DATABASE_URL`", "where the ledger is, unless `--database` says"],
        ["`HOLDFAST_KEY`", "of `serve`: a key with every scope, at least 32 random characters"],
        [
          "`HOLDFAST_LOG`",
          "of `serve` and `worker`: the level of the log, by default `info`; `silent` for none",
        ],
        [
          "`HOLDFAST_WEBHOOK_SECRET`",
          "of `serve --webhook`: what requests are signed with, at least 24 characters",
        ],
        ["`NO_COLOR`", "no colour"],
      ],
    ),
    "## Completion",
    "```sh\nsource <(holdfast completion bash)    # or zsh\nholdfast completion fish > ~/.config/fish/completions/holdfast.fish\n```",
  ]);
}

function commandText(command: Command, name: string): (string | undefined)[] {
  const args = command.registeredArguments.map((argument) => {
    const named = argument.variadic ? `${argument.name()}...` : argument.name();
    return argument.required ? `<${named}>` : `[${named}]`;
  });
  const description = command.description();
  return [
    `## ${name}`,
    `\`${[name, ...args].join(" ")}\`: ${description}.`,
    command.options.length > 0 ? optionsText(command) : undefined,
  ];
}

function optionsText(command: Command): string {
  return rows(
    ["option", ""],
    command.options.map(({ flags, description, mandatory, argChoices, defaultValue, long }) => [
      `\`${flags}\``,
      [
        description,
        argChoices && `one of ${argChoices.map((choice) => `\`${choice}\``).join(", ")}`,
        mandatory ? "required" : undefined,
        // Whose name it is by default depends on who reads this.
        long === "--by" ? "by default the user's name" : undefined,
        defaultValue !== undefined && long !== "--by" ? `by default \`${String(defaultValue)}\`` : undefined,
      ]
        .filter(Boolean)
        .join("; "),
    ]),
  );
}

function rows(heads: readonly string[], lines: readonly (readonly string[])[]): string {
  return [heads, heads.map(() => "---"), ...lines]
    .map(
      (cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`,
    )
    .join("\n");
}

function text(parts: readonly (string | undefined)[]): string {
  return `${parts.filter((part) => part !== undefined && part !== "").join("\n\n")}\n`;
}
