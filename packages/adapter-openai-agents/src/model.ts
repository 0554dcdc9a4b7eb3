import { type Call, current, HoldfastError } from "@holdfast/core";
import { type Answer, slim, toResponse, usageOf } from "./answer.ts";
import { emittedBy } from "./emitted.ts";
import { type Hold, holdOf } from "./hold.ts";
import { isHeld, MARK, replaceMethod } from "./mark.ts";
import { type Asking, asLive, inBody, isInBody } from "./model-call.ts";
import { asked, effectOf, type HostedEffects, hostedTools, outputCap, unheldTool } from "./request.ts";
import type { Model, ModelRequest, Provider } from "./sdk.ts";
import { nameOf, type Question, withSet } from "./set.ts";
import { unlessStopped } from "./stop.ts";
import { streamAnswer } from "./stream.ts";

/** Holds the calls of every model that a provider gives, in place. */
export function holdProvider(provider: Provider, hosted: HostedEffects): void {
  if (isHeld(provider)) return;
  const getModel = provider.getModel.bind(provider);
  const held = (name?: string) => {
    const found = getModel(name);
    const hold = (model: Model) => {
      holdModel(model, hosted, name, (other) => () => getModel(other));
      return model;
    };
    return found instanceof Promise ? found.then(hold) : hold(found);
  };
  replaceMethod(provider, "getModel", held);
  Object.defineProperty(provider, MARK, { value: true });
}

/**
 * Holds the calls of a model, in place: in front of another object the SDK would forget what it knows of this one, and a
 * named model that is replaced by an instance gets other default settings. Outside a run its calls are what they were.
 * `named` finds another model by its name, where there is a provider.
 */
export function holdModel(
  model: Model,
  hosted: HostedEffects,
  name = nameOf(model),
  named?: (name: string) => Question["find"],
): void {
  if (isHeld(model)) return;
  const getResponse = model.getResponse.bind(model);
  const getStreamedResponse = model.getStreamedResponse.bind(model);
  const asking = (request: ModelRequest): Asking | undefined => {
    const port = current();
    // A model that asks another one is one call, and paid once.
    if (!port || isInBody(port)) return undefined;
    const hold = holdOf(port);
    if (hold) refuseUnheldTool(hold, request);
    const own = { request, name, find: () => ({ getResponse, getStreamedResponse }) };
    const question = withSet(port, own, named);
    return { port, hold, question, call: callOf(hold, question, hosted, port.set !== undefined) };
  };
  replaceMethod(model, "getResponse", async (request: ModelRequest) => {
    const held = asking(request);
    return held ? await respond(held) : await getResponse(request);
  });
  replaceMethod(model, "getStreamedResponse", (request: ModelRequest) => {
    const held = asking(request);
    return held ? streamAnswer(held) : getStreamedResponse(request);
  });
  Object.defineProperty(model, MARK, { value: true });
}

function respond({ port, hold, call, question: { request, find } }: Asking) {
  const work = async () => (await find()).getResponse(request);
  const answered = port.step(call, (live) => asLive(request, live, async () => slim(await inBody(work))));
  return unlessStopped(
    port,
    answered.then((answer) => toResponse(answer, hold)),
  );
}

function callOf(
  hold: Hold | undefined,
  { request, name }: Question,
  hosted: HostedEffects,
  heedsSet: boolean,
): Call<Answer> {
  const tools = hostedTools(hold, request);
  return {
    kind: "model",
    name: `openai/${name}`,
    input: asked(request),
    effect: effectOf(request, tools, hosted),
    hosted: tools.length > 0 ? tools : undefined,
    model: { provider: "openai", model: name, maxOutputTokens: outputCap(request) },
    signal: request.signal,
    heedsSet,
    emits: (answer) => emittedBy(answer, hold),
    usage: usageOf,
  };
}

/** Throws UNHELD_CALL, and fails the run with it: what becomes of it in the SDK is the user's error handlers' affair. */
function refuseUnheldTool(hold: Hold, request: ModelRequest): void {
  const tool = unheldTool(hold, request);
  if (!tool) return;
  const why = "the model would be told of it, but it came by a way that is not known here";
  const refusal = new HoldfastError("UNHELD_CALL", { name: `The tool ${tool.name}`, why });
  hold.port.keep(Promise.reject(refusal));
  throw refusal;
}
