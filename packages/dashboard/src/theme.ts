import { useState } from "react";

export const THEMES = ["auto", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const KEY = "holdfast.theme";

const kept = (): Theme => THEMES.find((theme) => theme === localStorage.getItem(KEY)) ?? "auto";

/** `auto` goes by what the system prefers: the stylesheet says how. */
export function applyTheme(theme: Theme = kept()): void {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

export function useTheme(): [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState(kept);
  const choose = (chosen: Theme) => {
    localStorage.setItem(KEY, chosen);
    applyTheme(chosen);
    setTheme(chosen);
  };
  return [theme, choose];
}
