import { clock } from "../format.ts";
import type { EventRow } from "../timeline/row.ts";
import type { Scale } from "../timeline/scale.ts";
import { Moment } from "./Bar.tsx";

export const EventLine = ({ event, scale }: { readonly event: EventRow; readonly scale: Scale }) => (
  <div className={`line event tone-${event.tone}`} data-depth={Math.min(event.depth, 8)}>
    <span className="what">
      <span className="text">{event.text}</span>
    </span>
    <span className="track">
      <Moment scale={scale} at={event.at} kind={event.tone} />
    </span>
    <span className="took" title={clock(event.at)}>
      {clock(event.at).slice(0, 8)}
    </span>
    <span className="tokens" />
    <span className="cost" />
  </div>
);
