import { lettersOf, seqOf, upTo } from "./fold.ts";
import { type Call, NOBODY, type Scene, type Session, type State, type Statement } from "./model.ts";

/**
 * The same text for states with the same future. They may differ in the workers' names, in the numbers of their epochs
 * and entries (only what is equal, and what is over, matters), and in how their ledgers came to say what they say.
 *
 * Workers are put in the order of what they are. Where two are alike their order may still tell states apart that are the
 * same, which costs time and nothing else.
 */
export function textOf(scene: Scene, state: State): string {
  const { left, workers, heads, sessions, sent, calls, happened, keys, ages } = state;
  const own = workers.map(({ process, own, until, session, locked, strays }, w) => {
    let text = `${process[0]}${own}${until}${+session}${+locked}${strays}`;
    for (const run of heads.keys()) text += sessionText(scene, state, sessions[w]?.[run], run);
    for (const head of heads) text += head.leasedBy === w ? "L" : "l";
    text += sorted(sent.filter((one) => one.worker === w).map((one) => statementText(state, one)));
    text += sorted(calls.filter((one) => one.worker === w).map(callText));
    return text;
  });
  const order = workers.map((_, w) => w).sort((a, b) => compare(own[a] as string, own[b] as string));
  const place = (worker: number) => (worker < 0 ? worker : order.indexOf(worker));

  let text = `${left}`;
  for (const [run, { status, on, leasedBy, ledger }] of heads.entries()) {
    text += `|${status[0]}${on[0] ?? ""}${leasedBy < NOBODY ? "G" : ""}`;
    if (status !== "succeeded") text += lettersOf(scene.runs[run] ?? [], ledger);
  }
  for (const w of order) {
    text += `|${own[w]}`;
    for (const session of sessions[w] ?? [])
      if (session && session.owner !== NOBODY) text += `>${place(session.owner)}`;
    const pointing = sent.filter((one) => one.worker === w && one.owner !== NOBODY);
    text += sorted(pointing.map((one) => `>${one.run}${+one.heard}${place(one.owner)}`));
  }
  const others = sent.filter((one) => one.worker < 0);
  text += sorted(others.map((one) => `${one.worker}${statementText(state, one)}${place(one.owner)}`));
  text += sorted(calls.filter((one) => one.worker < 0).map(callText));
  text += `|${happened.join(";")}|${keys.join(";")}`;
  for (const ofRun of ages) {
    for (const { intent, takeover, by } of ofRun) text += `|${intent},${takeover},${place(by)}`;
  }
  return text;
}

function sessionText(scene: Scene, { heads }: State, session: Session | undefined, run: number): string {
  const head = heads[run];
  if (!session || !head) return "-";
  const { at, lapsed, epoch, number, seen, steps, said, words, stopped, releasing, broken } = session;
  const flags = `${at.slice(0, 5)}${+(lapsed && !stopped) + 2 * +stopped + 4 * +releasing + 8 * +broken}`;
  if (at !== "working") return `(${flags}${+(epoch === head.epoch)})`;
  // Of the intents that it takes to be written: are they?
  let written = "";
  for (const [step, letter] of steps.split("").entries()) {
    if (letter === "d") written += +head.ledger.includes(`I${step}${epoch.toString(36)}`);
  }
  if (broken) return `(${flags}${steps}${written})`;
  const behind = seqOf(head.ledger) - seen;
  const knows = behind === 0 ? "" : lettersOf(scene.runs[run] ?? [], upTo(head.ledger, seen));
  const when = epoch === head.epoch ? `=${head.appends - number}` : "<";
  return `(${flags}${when},${behind}${knows}${steps}${said}:${words}${written})`;
}

function statementText({ heads }: State, sent: Statement): string {
  const { kind, run, heard, epoch, number, seen, facts, fresh, mine } = sent;
  const head = heads[run];
  if (!head) return "";
  const flags = `${kind.slice(0, 2)}${run}${+heard + 2 * +fresh + 4 * +mine}`;
  if (epoch !== head.epoch && kind !== "person") return `<${flags}<${facts}>`;
  const seq = seqOf(head.ledger);
  const behind = kind === "park" || kind === "word" || kind === "person" ? seq - seen : "";
  if (number === 0) return `<${flags}${behind}${facts}>`;
  // A number that is in already is recognised by what stands there.
  const last = number === head.appends ? `${seq - head.appendSeq}${head.ledger.slice(-9)}` : "";
  return `<${flags}${head.appends - number},${behind}${facts}${last}>`;
}

const callText = ({ run, step, heard, left }: Call) => `!${run}${step}${+heard}${left}`;

const sorted = (texts: string[]) => texts.sort().join("");
const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
