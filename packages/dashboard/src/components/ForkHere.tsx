import { useNavigate } from "react-router";
import { answered, client } from "../api/client.ts";
import { useCommand } from "../api/commands.ts";
import type { Run } from "../api/queries.ts";
import { paths } from "../paths.ts";
import { useLacks } from "../session.ts";
import { Ask } from "../ui/Ask.tsx";

interface ForkHereProps {
  readonly run: Run;
  /** The last entry that both share. */
  readonly at: number;
}

export function ForkHere({ run: { id }, at }: ForkHereProps) {
  const navigate = useNavigate();
  const fork = useCommand(async () =>
    (await answered(client.runs[":id"].fork.$post({ param: { id }, json: { at } }))).json(),
  );
  return (
    <Ask
      label="Fork here"
      title={`Fork ${id} behind entry ${at}`}
      why={useLacks("operate")}
      busy={fork.isPending}
      error={fork.error}
      confirm={(done) =>
        fork.mutate(undefined, {
          onSuccess: (forked) => {
            done();
            void navigate(paths.run(forked.id));
          },
        })
      }
    >
      <p>
        A new run begins with a copy of entries 1 to {at}. What they say has happened is not done again;
        everything behind them is done anew, with effects and keys of its own. This run stays as it is.
      </p>
    </Ask>
  );
}
