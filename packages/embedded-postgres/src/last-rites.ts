/**
 * The shell function `last_rites <postmaster> <folder>`: waits until its standard input ends, then stops the server and,
 * unless `<folder>` is empty, removes it. The line `watched` lets it go without doing anything.
 *
 * Its input is a pipe whose other end some process holds and never writes to, so it ends when that process ends, by
 * whatever signal. It is a shell and not Node because it may wait for as long as a server lives, and should cost nothing.
 */
export const LAST_RITES = `
last_rites() {
  # A server that shuts down signals the process groups of its children, and this is in one: see it through.
  trap '' HUP INT QUIT TERM
  if read -r said && [ "$said" = watched ]; then return; fi
  kill -INT "$1"
  if [ -z "$2" ]; then return; fi
  # In the background, for the server does not end before the session has, nor the session before this shell.
  (
    tries=0
    while kill -0 "$1" && [ $tries -lt 600 ]; do tries=$((tries + 1)); sleep 0.05; done
    # Its other processes notice its death a moment later, and may still write while the folder is removed.
    tries=0
    until rm -rf "$2" || [ $tries -ge 100 ]; do tries=$((tries + 1)); sleep 0.05; done
  ) &
}
`;

export function shellQuote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
