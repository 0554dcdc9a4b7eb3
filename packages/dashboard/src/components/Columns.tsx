export interface Column {
  readonly key: string;
  /** Under the column, where there is room for it. */
  readonly name: string;
  /** What it says when it is pointed at. */
  readonly told: string;
  /** From the bottom up. */
  readonly parts: readonly { readonly kind: string; readonly amount: number }[];
}

interface ColumnsProps {
  /** What the chart shows, for those who do not see it. */
  readonly label: string;
  readonly columns: readonly Column[];
  readonly cap?: number | undefined;
  /** An amount, as the axis says it. */
  readonly text: (amount: number) => string;
}

/** About so many names fit below. */
const NAMES = 8;

/** Amounts over time, oldest first. */
export function Columns({ label, columns, cap, text }: ColumnsProps) {
  const sums = columns.map(({ parts }) => parts.reduce((sum, { amount }) => sum + amount, 0));
  const top = Math.max(cap ?? 0, ...sums);
  const height = (amount: number) => `${top === 0 ? 0 : (amount / top) * 100}%`;
  const every = Math.ceil(columns.length / NAMES);
  return (
    <figure className="chart" role="img" aria-label={label}>
      <span className="top">{top === 0 ? "" : text(top)}</span>
      <div className="columns">
        {columns.map(({ key, told, parts }) => (
          <span key={key} className="column" title={told}>
            {parts.map(({ kind, amount }) => (
              <span key={kind} className={`part of-${kind}`} style={{ height: height(amount) }} />
            ))}
          </span>
        ))}
        {cap === undefined ? null : <span className="cap" style={{ bottom: height(cap) }} />}
      </div>
      <div className="names" aria-hidden="true">
        {columns.map(({ key, name }, i) => (
          <span key={key}>{(columns.length - 1 - i) % every === 0 ? name : ""}</span>
        ))}
      </div>
    </figure>
  );
}
