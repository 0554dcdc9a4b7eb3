/** What policy may say of a call: it goes out, it does not, or a person has to say. */
export type Then = "allow" | "deny" | "ask";

/** Policy's word on one call, as it is recorded. */
export interface Decision {
  readonly then: Then;
  /** The rule that decided: its name. `default` where none did. */
  readonly rule: string;
  /** The policy's version: what `policyVersion` names, else a digest of its rules. */
  readonly policy: string;
  readonly reason?: string | undefined;
  /** The framework's own approval asks about the call, alone or with policy: so it is asked about under any other policy too. */
  readonly own?: true | undefined;
  /** Decided and recorded, but not enforced. */
  readonly shadow?: true | undefined;
}

/** What becomes of the call: a decision in shadow is only recorded. */
export const enforced = ({ then, shadow }: Decision): Then => (shadow ? "allow" : then);

/** How much a decision holds back: of two on one call, the higher one counts. */
export const STRICTNESS = { allow: 0, ask: 1, deny: 2 } as const satisfies Record<Then, number>;
