import { parsed } from "../parsed.ts";

interface JsonEditProps {
  /** Of the button that begins it. */
  readonly change: string;
  readonly label: string;
  /** As it is until then. */
  readonly value: unknown;
  /** What has been written; undefined: it stays as it is. */
  readonly text: string | undefined;
  readonly write: (text: string | undefined) => void;
}

/** A value that stays as it is, unless somebody writes it anew. */
export function JsonEdit({ change, label, value, text, write }: JsonEditProps) {
  if (text === undefined)
    return (
      <button type="button" className="plain" onClick={() => write(JSON.stringify(value, null, 2) ?? "null")}>
        {change}
      </button>
    );
  const isBroken = parsed(text) === undefined;
  return (
    <div className="edit">
      <label>
        {label}
        <textarea
          rows={Math.min(12, Math.max(3, text.split("\n").length))}
          value={text}
          aria-invalid={isBroken}
          onChange={({ target }) => write(target.value)}
        />
      </label>
      <p className="faint">
        {isBroken ? <strong className="broken">This is not JSON. </strong> : null}
        <button type="button" className="plain" onClick={() => write(undefined)}>
          Leave it as it is
        </button>
      </p>
    </div>
  );
}
