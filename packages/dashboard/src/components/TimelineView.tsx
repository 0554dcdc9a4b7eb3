import { useMemo } from "react";
import type { Run } from "../api/queries.ts";
import { clock, dateTime, duration } from "../format.ts";
import { useNow } from "../now.ts";
import { useOpened } from "../opened.ts";
import { instantOf } from "../timeline/entry.ts";
import { forkPlaces } from "../timeline/fork.ts";
import { overlapsOf } from "../timeline/overlap.ts";
import type { CallRow, Row } from "../timeline/row.ts";
import { type Scale, type Span, scaleOf } from "../timeline/scale.ts";
import type { Section, Timeline } from "../timeline/timeline.ts";
import { Axis, Bar, Grid } from "./Bar.tsx";
import { CallDetail } from "./CallDetail.tsx";
import { CallLine } from "./CallLine.tsx";
import { EventLine } from "./EventLine.tsx";

interface TimelineViewProps {
  readonly run: Run;
  readonly timeline: Timeline;
}

/** What became of a run, process by process, with a row for each attempt at a call. */
export function TimelineView({ run, timeline }: TimelineViewProps) {
  const isLive = run.finishedAt === undefined;
  const end = useEnd(timeline, isLive);
  const calls = useMemo(
    () => timeline.sections.flatMap(({ rows }) => rows).filter((row) => row.row === "call"),
    [timeline],
  );
  const scale = useMemo(() => scaleOf(spansOf(timeline, calls, end)), [timeline, calls, end]);
  const beside = useMemo(() => overlapsOf(calls, end), [calls, end]);
  const [at, toggle] = useOpened();
  const detail = (call: CallRow) => (
    <CallDetail
      run={run}
      call={call}
      beside={beside.get(call.seq) ?? []}
      places={forkPlaces(timeline.forkable, call)}
      isInline={timeline.isInline}
    />
  );
  return (
    <div className="timeline">
      <div className="line axis-line">
        <span className="what">Call</span>
        <Axis scale={scale} />
        <span className="took">Took</span>
        <span className="tokens" title="Tokens in, and out">
          Tokens
        </span>
        <span className="cost">Cost</span>
      </div>
      <div className="course">
        <Grid scale={scale} />
        {timeline.sections.map((section, i) => (
          <section key={section.takeover?.seq ?? 0}>
            <Divider section={section} isFirst={i === 0} previous={timeline.sections[i - 1]} />
            {section.rows.map((row) => (
              <Line key={keyOf(row)} {...{ row, scale, end, at, toggle, detail }} />
            ))}
          </section>
        ))}
      </div>
      {isLive ? (
        <p className="live" role="status">
          <span className="pulse" /> live
        </p>
      ) : null}
    </div>
  );
}

const keyOf = (row: Row) => (row.row === "lane" ? row.path : `${row.seq}`);

interface LineProps {
  readonly row: Row;
  readonly scale: Scale;
  readonly end: number;
  readonly at: number;
  readonly toggle: (seq: number) => void;
  readonly detail: (call: CallRow) => React.ReactNode;
}

function Line({ row, scale, end, at, toggle, detail }: LineProps) {
  switch (row.row) {
    case "call":
      return (
        <CallLine
          call={row}
          scale={scale}
          end={end}
          open={at === row.seq}
          toggle={() => toggle(row.seq)}
          detail={detail}
        />
      );
    case "event":
      return <EventLine event={row} scale={scale} />;
    case "lane":
      return (
        <div className="line lane" data-depth={Math.min(row.depth, 8)}>
          <span className="what">{row.label}</span>
          <span className="track">
            <Bar scale={scale} from={row.from} to={row.to ?? end} kind="lane" />
          </span>
          <span className="took">{duration((row.to ?? end) - row.from)}</span>
          <span className="tokens" />
          <span className="cost" />
        </div>
      );
  }
}

const afters = {
  start: "started it",
  crash: "took over after a crash",
  wait: "went on after a wait",
  retry: "tried it again",
  handover: "took it up where a worker had handed it back",
} as const;

interface DividerProps {
  readonly section: Section;
  readonly isFirst: boolean;
  readonly previous: Section | undefined;
}

/** Where another process went on. */
function Divider({ section: { takeover, recorded, cutOff }, isFirst, previous }: DividerProps) {
  if (!takeover) return null;
  const at = instantOf(takeover);
  const isOther = previous?.takeover?.worker !== takeover.worker;
  const kind = takeover.after === "crash" ? "crash" : isFirst ? "first" : "calm";
  return (
    <div className={`divider ${kind}`} data-testid={isFirst ? undefined : "divider"}>
      <strong className="worker">{takeover.worker}</strong> {afters[takeover.after]}
      {takeover.after !== "start" && isOther ? ", another process" : ""}
      <span className="faint">
        {" "}
        epoch {takeover.epoch} · <time title={dateTime(at)}>{clock(at)}</time>
        {recorded > 0
          ? ` · ${recorded} recorded ${recorded === 1 ? "call is" : "calls are"} not made again`
          : ""}
        {cutOff > 0 ? ` · ${cutOff} cut off` : ""}
      </span>
    </div>
  );
}

/** Up to when it is drawn: while something is under way, by the database's clock as far as this one knows it. */
function useEnd(timeline: Timeline, isLive: boolean): number {
  const now = useNow(1000);
  const arrived = useMemo(() => ({ at: timeline.to, here: Date.now() }), [timeline.to]);
  const isOpen =
    timeline.sections.at(-1)?.rows.some((row) => row.row === "call" && row.state === "open") ?? false;
  return isLive && isOpen ? arrived.at + Math.max(0, now - arrived.here) : timeline.to;
}

function spansOf(timeline: Timeline, calls: readonly CallRow[], end: number): Span[] {
  const moments = [timeline.from, ...timeline.sections.map(({ at }) => at), end].map((at) => ({
    from: at,
    to: at,
  }));
  return [
    ...moments,
    ...calls.map(({ from, to, state }) => ({ from, to: to ?? (state === "open" ? end : from) })),
  ];
}
