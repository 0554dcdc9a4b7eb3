import { duration } from "../format.ts";
import type { Scale } from "../timeline/scale.ts";

const percent = (part: number) => `${(part * 100).toFixed(3)}%`;

interface BarProps {
  readonly scale: Scale;
  readonly from: number;
  readonly to: number;
  readonly kind: string;
}

export function Bar({ scale, from, to, kind }: BarProps) {
  const [left, right] = [scale.at(from), scale.at(to)];
  return <span className={`bar-of ${kind}`} style={{ left: percent(left), width: percent(right - left) }} />;
}

export const Moment = ({
  scale,
  at,
  kind,
}: {
  readonly scale: Scale;
  readonly at: number;
  readonly kind: string;
}) => <span className={`moment ${kind}`} style={{ left: percent(scale.at(at)) }} />;

/** Behind all rows: the ticks of the axis, and stretches that are drawn short. */
export const Grid = ({ scale }: { readonly scale: Scale }) => (
  <div className="line grid" aria-hidden="true">
    <span className="what" />
    <span className="track">
      {scale.ticks.map(({ at, ms }) => (
        <span key={ms} className="tick" style={{ left: percent(at) }} />
      ))}
      {scale.breaks.map(({ from, to }) => (
        <span key={from} className="break" style={{ left: percent(from), width: percent(to - from) }} />
      ))}
    </span>
  </div>
);

/** Further right there is no room for what a tick says. */
const LAST_LABEL = 0.93;

export const Axis = ({ scale }: { readonly scale: Scale }) => (
  <span className="track axis">
    {scale.ticks.map(({ at, ms }) => (
      <span key={ms} className="tick" style={{ left: percent(at) }}>
        {at > LAST_LABEL ? "" : ms === 0 ? "0" : `+${duration(ms).replace(/\.?0+ s$/, " s")}`}
      </span>
    ))}
    {scale.breaks.map(({ from, to, ms }) => (
      <span
        key={from}
        className="break"
        title={`${duration(ms)} in which nothing happened, drawn short`}
        style={{ left: percent(from), width: percent(to - from) }}
      />
    ))}
  </span>
);
