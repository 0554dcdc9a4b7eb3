import { type Begun, type Live, type Outlet, openOutlet } from "@holdfast/core";
import { type Answer, slim, toResponse } from "./answer.ts";
import { type Asking, asLive, inBody } from "./model-call.ts";
import type { ModelResponse, OutputItem, StreamEvent } from "./sdk.ts";
import { unlessStopped } from "./stop.ts";

/** The answer's events, live as they come, or made from the record. */
export async function* streamAnswer({ port, call, question }: Asking): AsyncGenerator<StreamEvent> {
  const { request, find } = question;
  const work = async () => (await find()).getStreamedResponse(request);
  const begun: Begun<Answer> = await unlessStopped(port, port.begin(call));
  if (begun.at === "recorded") {
    yield* replay(begun.value);
    return;
  }
  const outlet = openOutlet<StreamEvent>();
  const pumped = asLive(request, begun, () => begun.enter(() => inBody(() => pump(work, begun, outlet))));
  port.keep(pumped);
  pumped.then(outlet.close, () => {});
  const reader = outlet.stream.getReader();
  for (;;) {
    const { done, value } = await unlessStopped(port, reader.read());
    if (done) return;
    yield value;
  }
}

/**
 * Reads the answer to its end, whether or not anybody still listens: it is paid for. Each event goes out as it comes, but
 * the last waits until the answer is on record. One that breaks off is no answer, and the SDK's next try takes its place.
 */
async function pump(
  work: () => Promise<AsyncIterable<StreamEvent>>,
  live: Live<Answer>,
  outlet: Outlet<StreamEvent>,
): Promise<void> {
  let isRecorded = false;
  let said = "";
  try {
    for await (const event of await work()) {
      if (event.type === "response_done" && !isRecorded) {
        isRecorded = true;
        await live.commit(slim(responseIn(event)), { durable: true });
      }
      if (event.type === "output_text_delta") said += String(event.delta);
      outlet.enqueue(event);
    }
    if (!isRecorded) await live.fail(new Error("The model's stream ended without a response."), { said });
  } catch (error) {
    if (!isRecorded) await live.fail(error, { aborted: live.signal.aborted, said });
    outlet.error(error);
  }
}

/** A streamed answer calls its id by another name. */
function responseIn(event: StreamEvent): ModelResponse {
  const { id, ...response } = event.response as ModelResponse & { readonly id?: string };
  return { ...response, responseId: id };
}

function* replay(answer: Answer): Generator<StreamEvent> {
  yield { type: "response_started" };
  for (const delta of answer.output.flatMap(textsIn)) yield { type: "output_text_delta", delta };
  const { responseId: id, ...response } = toResponse(answer, undefined);
  yield { type: "response_done", response: { ...response, id } };
}

function textsIn({ type, content }: OutputItem): string[] {
  if (type !== "message" || !Array.isArray(content)) return [];
  return content.flatMap((part: { type?: unknown; text?: unknown }) =>
    part.type === "output_text" && typeof part.text === "string" ? [part.text] : [],
  );
}
