import { Argument, type Command } from "commander";
import type { Terminal } from "../terminal.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

export function addCompletion(holdfast: Command, terminal: Terminal): void {
  holdfast
    .command("completion")
    .description("print a completion script: source <(holdfast completion bash)")
    .addArgument(new Argument("<shell>").choices(SHELLS))
    .action((shell: Shell) => {
      terminal.out(scripts[shell](wordsOf(holdfast)));
    });
}

/** The words that may follow each command: the first line is for `holdfast` itself. */
type Words = readonly {
  readonly command: string;
  readonly says: string;
  readonly words: readonly string[];
}[];

function wordsOf(holdfast: Command): Words {
  const general = flagsOf(holdfast);
  const commands = holdfast
    .createHelp()
    .visibleCommands(holdfast)
    .map((command) => ({
      command: command.name(),
      says: command.description(),
      words: [...command.commands.map((inner) => inner.name()), ...flagsOf(command), ...general],
    }));
  return [
    { command: "", says: "", words: [...commands.map(({ command }) => command), ...general] },
    ...commands,
  ];
}

const flagsOf = (command: Command): string[] => command.options.flatMap(({ long }) => (long ? [long] : []));

const scripts: Record<Shell, (words: Words) => string> = {
  bash: (words) => `_holdfast() {
  local current=\${COMP_WORDS[COMP_CWORD]} words
  case "\${COMP_WORDS[1]}" in
${words
  .slice(1)
  .map(({ command, words }) => `    ${command}) words="${words.join(" ")}" ;;`)
  .join("\n")}
    *) words="${words[0]?.words.join(" ")}" ;;
  esac
  [ "$COMP_CWORD" = 1 ] && words="${words[0]?.words.join(" ")}"
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _holdfast holdfast
`,
  zsh: (words) => `#compdef holdfast
_holdfast() {
  if (( CURRENT == 2 )); then
    compadd -- ${words[0]?.words.join(" ")}
    return
  fi
  case "\${words[2]}" in
${words
  .slice(1)
  .map(({ command, words }) => `    ${command}) compadd -- ${words.join(" ")} ;;`)
  .join("\n")}
  esac
}
compdef _holdfast holdfast
`,
  fish: (words) =>
    words
      .slice(1)
      .flatMap(({ command, says, words }) => [
        `complete -c holdfast -n __fish_use_subcommand -f -a ${command} -d '${says.replaceAll("'", "\\'")}'`,
        ...words.map(
          (word) => `complete -c holdfast -n '__fish_seen_subcommand_from ${command}' -f -a '${word}'`,
        ),
      ])
      .join("\n")
      .concat("\n"),
};
