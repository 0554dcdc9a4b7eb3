import { useEffect, useRef } from "react";
import { duration, money, oneLine, tokens } from "../format.ts";
import type { CallRow, CallState } from "../timeline/row.ts";
import type { Scale } from "../timeline/scale.ts";
import { Bar } from "./Bar.tsx";

/** What became of a call, with the sign and the colour that say so. */
export const states: Record<
  CallState,
  { readonly sign: string; readonly text: string; readonly tone: string }
> = {
  asked: { sign: "?", text: "waits for an answer", tone: "ask" },
  approved: { sign: "?", text: "approved, has not gone out yet", tone: "ask" },
  open: { sign: "◐", text: "under way", tone: "live" },
  ok: { sign: "✓", text: "returned", tone: "good" },
  failed: { sign: "✕", text: "failed", tone: "bad" },
  refused: { sign: "⊘", text: "refused", tone: "bad" },
  cut: { sign: "✂", text: "cut off", tone: "warn" },
  doubt: { sign: "!", text: "in doubt", tone: "warn" },
  happened: { sign: "✓", text: "resolved: it happened", tone: "good" },
  undone: { sign: "⊘", text: "resolved: it did not happen", tone: "plain" },
};

interface CallLineProps {
  readonly call: CallRow;
  readonly scale: Scale;
  readonly end: number;
  readonly open: boolean;
  readonly toggle: () => void;
  readonly detail: (call: CallRow) => React.ReactNode;
}

export function CallLine({ call, scale, end, open, toggle, detail }: CallLineProps) {
  const { sign, text, tone } = states[call.state];
  const until = call.to ?? (call.state === "open" ? end : call.from);
  const row = useRef<HTMLButtonElement>(null);
  // The address names it: then it is looked at, however far down it stands.
  // biome-ignore lint/correctness/useExhaustiveDependencies: only as it appears, not when it is clicked
  useEffect(() => {
    if (open) row.current?.scrollIntoView({ block: "center" });
  }, []);
  return (
    <>
      <button
        ref={row}
        type="button"
        className={`line call ${call.call} tone-${tone}`}
        data-row
        data-depth={Math.min(call.depth, 8)}
        aria-expanded={open}
        onClick={toggle}
      >
        <span className="what">
          <span className="sign" title={text} role="img" aria-label={text}>
            {sign}
          </span>
          <span className="name">{call.name}</span>
          <Marks call={call} />
          <span className="args">{summaryOf(call)}</span>
        </span>
        <span className="track">
          {call.askedAt === undefined ? null : (
            <Bar
              scale={scale}
              from={call.askedAt}
              to={call.from > call.askedAt ? call.from : until}
              kind="asking"
            />
          )}
          <Bar scale={scale} from={call.from} to={until} kind={`${call.call} ${call.state}`} />
        </span>
        <span className="took">
          {call.to === undefined && call.state !== "open" ? "" : duration(until - call.from)}
        </span>
        <span className="tokens">{tokensOf(call)}</span>
        <span className="cost">{costOf(call)}</span>
      </button>
      {open ? detail(call) : null}
    </>
  );
}

/** What must not be overlooked about it. */
const Marks = ({
  call: { effect, again, drift, tries, mocked, state, call },
}: {
  readonly call: CallRow;
}) => (
  <>
    {effect && call !== "model" ? <span className="mark">{effect}</span> : null}
    {again ? <span className="mark warn">again</span> : null}
    {tries > 1 ? <span className="mark warn">{tries} tries</span> : null}
    {drift.length > 0 ? <span className="mark warn">drift</span> : null}
    {state === "doubt" ? <span className="mark warn">in doubt</span> : null}
    {state === "cut" ? <span className="mark warn">cut off</span> : null}
    {mocked ? <span className="mark">from {mocked}</span> : null}
  </>
);

function summaryOf({ call, state, error, reason, asks, input, output }: CallRow): string {
  if (state === "failed") return oneLine(messageOf(error));
  if (state === "refused") return oneLine(reason ?? "");
  if (call !== "model") return input === undefined ? "" : oneLine(input);
  return asks.length > 0 ? `asks for ${asks.join(", ")}` : oneLine(textIn(output) ?? "");
}

const messageOf = (error: unknown): unknown =>
  typeof error === "object" && error !== null && "message" in error ? error.message : error;

/** The text of a model's answer, whichever framework recorded it: the first `text` or `content` that is text. */
export function textIn(value: unknown, depth = 0): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null || depth > 6) return undefined;
  const parts: unknown[] = Array.isArray(value)
    ? value
    : ["text", "content", "output", "message", "kwargs", "parts"].map((name) => Reflect.get(value, name));
  for (const part of parts) {
    const text = part === undefined ? undefined : textIn(part, depth + 1);
    if (text) return text;
  }
  return undefined;
}

const tokensOf = ({ usage }: CallRow): string =>
  usage ? `${tokens(usage.inputTokens ?? 0)} → ${tokens(usage.outputTokens ?? 0)}` : "";

function costOf({ cost, hold, state, estimated }: CallRow): string {
  if (cost !== undefined) return `${estimated ? "≈ " : ""}${money(cost)}`;
  return hold && state === "open" ? `holds ${money(hold)}` : "";
}
