/** What comes from an agent may hold anything: no control character, and no change of direction, reaches the terminal. */
export const clean = (text: string): string =>
  text.replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, "·");
