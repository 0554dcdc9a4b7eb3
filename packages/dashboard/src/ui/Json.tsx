import { useState } from "react";

/** Longer than this it is shown on demand. */
const LONG = 4_000;

/** A value for people to read: text as it is, everything else as JSON. */
export function Json({ value }: { readonly value: unknown }) {
  const [whole, showWhole] = useState(false);
  const text = typeof value === "string" ? value : (JSON.stringify(value, null, 2) ?? "nothing");
  const isCut = !whole && text.length > LONG;
  return (
    <pre className="json">
      {isCut ? text.slice(0, LONG) : text}
      {isCut ? (
        <button type="button" className="plain" onClick={() => showWhole(true)}>
          … all {text.length.toLocaleString("en-US")} characters
        </button>
      ) : null}
    </pre>
  );
}
