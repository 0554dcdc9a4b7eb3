import { useQueryClient } from "@tanstack/react-query";
import { answered, client } from "../api/client.ts";
import { useCommand } from "../api/commands.ts";
import { THEMES, type Theme, useTheme } from "../theme.ts";

interface AccountProps {
  readonly name: string;
  readonly showKeys: () => void;
}

/** Who has signed in, how it looks, and the way out. */
export function Account({ name, showKeys }: AccountProps) {
  const queries = useQueryClient();
  const [theme, choose] = useTheme();
  const signOut = useCommand(async () => {
    await answered(client.session.$delete());
    await queries.resetQueries({ queryKey: ["session"] });
    queries.removeQueries({ queryKey: ["live"] });
  });
  return (
    <details className="menu">
      <summary>
        {name} <span aria-hidden="true">▾</span>
      </summary>
      <div className="menu-body">
        <label>
          Colours{" "}
          <select value={theme} onChange={({ target }) => choose(target.value as Theme)}>
            {THEMES.map((theme) => (
              <option key={theme}>{theme}</option>
            ))}
          </select>
        </label>
        <button type="button" className="plain" onClick={showKeys}>
          Keys <kbd>?</kbd>
        </button>
        <a href="/reference">REST API</a>
        <button type="button" className="plain" onClick={() => signOut.mutate(undefined)}>
          Sign out
        </button>
      </div>
    </details>
  );
}
