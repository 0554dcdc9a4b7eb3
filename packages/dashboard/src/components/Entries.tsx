import { clock, dateTime, oneLine } from "../format.ts";
import { useOpened } from "../opened.ts";
import { type Entry, instantOf } from "../timeline/entry.ts";
import { Json } from "../ui/Json.tsx";

/** The ledger as it is, entry by entry. */
export function Entries({ entries }: { readonly entries: readonly Entry[] }) {
  const [at, toggle] = useOpened();
  return (
    <ol className="entries">
      {entries.map((entry) => (
        <EntryLine key={entry.seq} entry={entry} open={at === entry.seq} toggle={() => toggle(entry.seq)} />
      ))}
    </ol>
  );
}

interface EntryLineProps {
  readonly entry: Entry;
  readonly open: boolean;
  readonly toggle: () => void;
}

function EntryLine({ entry, open, toggle }: EntryLineProps) {
  const { seq, epoch, kind, at: _at, runId: _runId, ...fields } = entry;
  const at = instantOf(entry);
  return (
    <li>
      <button type="button" className="entry" data-row aria-expanded={open} onClick={toggle}>
        <span className="seq">{seq}</span>
        <time title={dateTime(at)}>{clock(at)}</time>
        <span className="epoch" title={`Epoch ${epoch}`}>
          e{epoch}
        </span>
        <span className={`kind ${kind}`}>{kind}</span>
        <span className="args">{oneLine(fields, 300)}</span>
      </button>
      {open ? <Json value={fields} /> : null}
    </li>
  );
}
