import { drive } from "./drive.ts";
import type { Hold } from "./hold.ts";
import { failLike, inLane } from "./lane.ts";
import { bind, bindCall, type Options, type Sdk, signalOf } from "./options.ts";

interface Agent {
  generate(options: Options): unknown;
  stream(options: Options): unknown;
}

export type AgentClass = new (settings: Options) => Agent;

/**
 * The same agent class, its calls held. An agent is made once and called in many runs, and what it calls is the SDK's
 * own, not ours: so each call is made by an agent of its own, of the same settings, bound to the call.
 */
export function holdAgent(Base: AgentClass, sdk: Sdk): AgentClass {
  class Held extends Base {
    readonly #settings: Options;

    constructor(settings: Options) {
      super(settings);
      this.#settings = settings;
    }

    override generate(options: Options) {
      const outside = () => super.generate(options);
      const inside = (hold: Hold) => this.#bound(hold).generate(this.#boundCall(options, hold));
      return failLike(Reflect.get(Base.prototype, "generate"), () =>
        inLane({ name: "agent.generate", streams: false, outside, inside }),
      );
    }

    override stream(options: Options) {
      const outside = () => super.stream(options);
      const inside = (hold: Hold) =>
        drive(this.#bound(hold).stream(this.#boundCall(options, hold)), hold.port, this.#signal(options));
      return failLike(Reflect.get(Base.prototype, "stream"), () =>
        inLane({ name: "agent.stream", streams: true, outside, inside }),
      );
    }

    #bound(hold: Hold): Agent {
      return new Base(bind(this.#settings, hold, sdk));
    }

    #boundCall(options: Options, hold: Hold): Options {
      return bindCall({ ...options, abortSignal: this.#signal(options) }, hold, sdk);
    }

    /** In ai 5 an agent's settings may hold a signal for all its calls. */
    #signal(options: Options): AbortSignal | undefined {
      return signalOf(options) ?? signalOf(this.#settings);
    }
  }
  return Object.defineProperty(Held, "name", { value: Base.name });
}
