import { clock, dateTime, oneLine } from "../format.ts";
import { type Entry, instantOf } from "../timeline/entry.ts";
import { Json } from "../ui/Json.tsx";

/** The ledger as it is, entry by entry. */
export const Entries = ({ entries }: { readonly entries: readonly Entry[] }) => (
  <ol className="entries">
    {entries.map((entry) => (
      <EntryLine key={entry.seq} entry={entry} />
    ))}
  </ol>
);

function EntryLine({ entry }: { readonly entry: Entry }) {
  const { seq, epoch, kind, at: _at, runId: _runId, ...fields } = entry;
  const at = instantOf(entry);
  return (
    <li>
      <details>
        <summary data-row>
          <span className="seq">{seq}</span>
          <time title={dateTime(at)}>{clock(at)}</time>
          <span className="epoch" title="Epoch">
            e{epoch}
          </span>
          <span className="kind">{kind}</span>
          <span className="args">{oneLine(fields, 300)}</span>
        </summary>
        <Json value={fields} />
      </details>
    </li>
  );
}
