import { useEffect, useRef } from "react";
import { useNavigate } from "react-router";
import { paths } from "./paths.ts";

/** `g`, then one of these. */
export const GO: Readonly<Record<string, { readonly to: string; readonly name: string }>> = {
  r: { to: paths.runs, name: "Runs" },
  i: { to: paths.inbox, name: "Inbox" },
  d: { to: paths.deadLetters, name: "Dead letters" },
  f: { to: paths.flows, name: "Flows" },
  b: { to: paths.budgets, name: "Budgets" },
  w: { to: paths.fleet, name: "Fleet: its workers" },
};

/** `/` searches, `j` and `k` walk through rows, `g` and a letter goes to a page, `?` shows the keys. */
export function useKeyboard(showKeys: () => void): void {
  const navigate = useNavigate();
  // Not of one listening: the page may be drawn anew between the two keys.
  const before = useRef("");
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      const { key } = event;
      const go = before.current === "g" ? GO[key] : undefined;
      before.current = key;
      if (go) void navigate(go.to);
      else if (key === "?") showKeys();
      else if (key === "j" || key === "k") walk(key === "j" ? 1 : -1);
      else if (key === "/") document.querySelector<HTMLElement>("[data-search]")?.focus();
      else return;
      event.preventDefault();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, [navigate, showKeys]);
}

const isTyping = (target: EventTarget | null) =>
  target instanceof HTMLElement &&
  (target.isContentEditable ||
    /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) ||
    target.closest("dialog") !== null);

function walk(by: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>("[data-row]")];
  const at = rows.indexOf(document.activeElement as HTMLElement);
  const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by));
  rows[next]?.focus();
}
