import { type Call, current, HoldfastError } from "@holdfast/core";
import { type Answer, emittedBy, slim, toResponse, usageOf } from "./answer.ts";
import { type Hold, holdOf } from "./hold.ts";
import { isHeld, MARK, replaceMethod } from "./mark.ts";
import { type Asking, asLive, inBody, isInBody } from "./model-call.ts";
import { asked, effectOf, type HostedEffects, hostedTools, outputCap, unheldTool } from "./request.ts";
import type { Model, ModelRequest, ModelResponse, Provider } from "./sdk.ts";
import { unlessStopped } from "./stop.ts";
import { streamAnswer } from "./stream.ts";

/** Holds the calls of every model that a provider gives, in place. */
export function holdProvider(provider: Provider, hosted: HostedEffects): void {
  if (isHeld(provider)) return;
  const getModel = provider.getModel.bind(provider);
  const held = (name?: string) => {
    const found = getModel(name);
    const hold = (model: Model) => {
      holdModel(model, hosted, name);
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
 */
export function holdModel(model: Model, hosted: HostedEffects, name = nameOf(model)): void {
  if (isHeld(model)) return;
  const getResponse = model.getResponse.bind(model);
  const getStreamedResponse = model.getStreamedResponse.bind(model);
  const asking = (request: ModelRequest): Asking | undefined => {
    const port = current();
    // A model that asks another one is one call, and paid once.
    if (!port || isInBody(port)) return undefined;
    const hold = holdOf(port);
    if (hold) refuseUnheldTool(hold, request);
    return { port, hold, call: callOf(hold, request, name, hosted) };
  };
  replaceMethod(model, "getResponse", async (request: ModelRequest) => {
    const work = () => getResponse(request);
    const held = asking(request);
    return held ? await respond(held, request, work) : await work();
  });
  replaceMethod(model, "getStreamedResponse", (request: ModelRequest) => {
    const work = () => getStreamedResponse(request);
    const held = asking(request);
    return held ? streamAnswer(held, request, work) : work();
  });
  Object.defineProperty(model, MARK, { value: true });
}

function respond({ port, hold, call }: Asking, request: ModelRequest, work: () => Promise<ModelResponse>) {
  const answered = port.step(call, (live) => asLive(request, live, async () => slim(await inBody(work))));
  return unlessStopped(
    port,
    answered.then((answer) => toResponse(answer, hold)),
  );
}

function callOf(
  hold: Hold | undefined,
  request: ModelRequest,
  name: string,
  hosted: HostedEffects,
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

/** What a model that was not found by its name is called. */
function nameOf(model: Model): string {
  const { _model, model: id, modelId } = model as { _model?: unknown; model?: unknown; modelId?: unknown };
  const name = [_model, id, modelId].find((name) => typeof name === "string" && name !== "");
  return typeof name === "string" ? name : "model";
}
