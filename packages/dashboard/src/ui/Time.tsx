import { ago, dateTime } from "../format.ts";
import { useNow } from "../now.ts";

/** How long ago; pointed at, when exactly. */
export function Time({ at }: { readonly at: string }) {
  const now = useNow();
  const instant = Date.parse(at);
  return (
    <time dateTime={at} title={dateTime(instant)}>
      {ago(instant, now)}
    </time>
  );
}
