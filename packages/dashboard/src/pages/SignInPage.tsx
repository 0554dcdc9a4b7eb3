import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answered, client } from "../api/client.ts";
import { useCommand } from "../api/commands.ts";

export function SignInPage() {
  const [key, setKey] = useState("");
  const queries = useQueryClient();
  const signIn = useCommand(async () => {
    await answered(client.session.$post({ json: { key: key.trim() } }));
    await queries.resetQueries({ queryKey: ["session"] });
  });
  return (
    <main className="sign-in">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          signIn.mutate(undefined);
        }}
      >
        <h1>Holdfast</h1>
        <label htmlFor="key">Key</label>
        <input
          id="key"
          type="password"
          autoComplete="current-password"
          placeholder="hfk_…"
          required
          value={key}
          onChange={({ target }) => setKey(target.value)}
        />
        <button type="submit" className="good" disabled={signIn.isPending}>
          Sign in
        </button>
        {signIn.error ? (
          <p className="failed" role="alert">
            {signIn.error.message}
          </p>
        ) : null}
        <p className="hint">
          A key is made with <code>holdfast keys new</code>. What you do here is recorded under its name.
        </p>
      </form>
    </main>
  );
}
