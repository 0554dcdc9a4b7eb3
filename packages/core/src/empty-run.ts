const hooks = shared();
let warned = false;

/**
 * Says that something has been installed (`withDurability(Runner)`) which holds calls wherever they are made. A run without
 * any then warns: its framework may be there twice, and the other copy of it has been used.
 */
export function expectSteps(hook: string): void {
  hooks.add(hook);
}

/** Nothing of the run was recorded. Warns once a process, if there is a hook that should have seen its calls. */
export function warnOfEmptyRun(runId: string): void {
  if (warned || hooks.size === 0) return;
  warned = true;
  process.emitWarning(
    `Run ${runId} has ended, and no step of it was recorded. If it called a model or a tool, ${[...hooks].join(" and ")} ` +
      "got another copy of the framework than the one that was used: hand over the class that is imported where agents run.",
    { type: "HoldfastWarning", code: "UNHELD_CALL" },
  );
}

/** An adapter may have another copy of this package (ESM and CJS) than the program that opens runs. */
function shared(): Set<string> {
  const global = globalThis as unknown as Record<symbol, Set<string> | undefined>;
  const mark = Symbol.for("holdfast.hooks.1");
  global[mark] ??= new Set();
  return global[mark];
}
