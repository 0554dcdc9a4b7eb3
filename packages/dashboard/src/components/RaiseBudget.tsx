import { useState } from "react";
import { answered, client } from "../api/client.ts";
import { useCommand } from "../api/commands.ts";
import type { Run } from "../api/queries.ts";
import { money } from "../format.ts";
import { useLacks } from "../session.ts";
import { Ask } from "../ui/Ask.tsx";

export function RaiseBudget({ run: { id, budget } }: { readonly run: Run }) {
  const [dollars, setDollars] = useState("");
  const to = Math.round(Number(dollars) * 1_000_000);
  const raise = useCommand(() => answered(client.runs[":id"].budget.$post({ param: { id }, json: { to } })));
  const cap = budget.cap ?? 0;
  return (
    <Ask
      label="Raise budget"
      title={`Raise the budget of ${id}`}
      why={useLacks("approve")}
      busy={raise.isPending}
      error={raise.error}
      ready={dollars !== "" && to > cap}
      confirm={(done) => raise.mutate(undefined, { onSuccess: done })}
    >
      <p>
        {money(budget.spent)} of {money(cap)} are spent, {money(budget.held)} are held. Where the run waits
        for budget, it goes on.
      </p>
      <label className="field">
        New cap in dollars
        <input
          type="number"
          min={cap / 1_000_000}
          step="any"
          value={dollars}
          onChange={({ target }) => setDollars(target.value)}
        />
      </label>
    </Ask>
  );
}
