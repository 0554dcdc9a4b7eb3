interface MeterProps {
  readonly cap: number;
  readonly spent: number;
  readonly held: number;
}

/** How much of a cap is spent, and how much is held for calls under way. */
export function Meter({ cap, spent, held }: MeterProps) {
  const part = (amount: number) => `${cap === 0 ? 0 : Math.min(100, (amount / cap) * 100)}%`;
  return (
    <span className="meter" role="img" aria-label={`${part(spent)} spent, ${part(held)} held`}>
      <span className="spent" style={{ width: part(spent) }} />
      <span className="held" style={{ width: part(held) }} />
    </span>
  );
}
