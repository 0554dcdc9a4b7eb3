import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import type { Holdfast, PackageMigrations } from "../src/index.ts";
import { current } from "../src/inside.ts";
import type { OwnedRun } from "../src/port.ts";
import { useHoldfast } from "./opened.ts";
import { newId } from "./store.ts";

const { open, sql, stall } = useHoldfast();

/** Tables of a package that no other test has. */
function aPackage(...scripts: string[]): PackageMigrations {
  const migrations = scripts.map((script, i) => ({
    version: i + 1,
    name: `file-${i + 1}`,
    sql: script,
    checksum: createHash("sha256").update(script).digest("hex"),
  }));
  return { package: newId(), migrations };
}

const tableOf = (of: PackageMigrations) => `holdfast."notes_${of.package}"`;
const applied = (of: PackageMigrations) =>
  sql("select version from holdfast.package_migrations where package = $1 order by version", [of.package]);

function aPackageWithNotes(): PackageMigrations {
  const { package: name } = aPackage();
  const of = { package: name, migrations: [] };
  return { ...aPackage(`create table ${tableOf(of)} (run_id text, epoch int, text text)`), package: name };
}

test("a package's tables are made once, whoever asks for them at the same time", async () => {
  const of = aPackageWithNotes();
  const holdfasts = await Promise.all(Array.from({ length: 5 }, () => open()));
  await Promise.all(holdfasts.map((holdfast) => holdfast.tables(of)));
  expect(await applied(of)).toEqual([{ version: 1 }]);
});

test("what is new of a package's tables is added to what is there", async () => {
  const of = aPackageWithNotes();
  const holdfast = await open();
  await holdfast.tables(of);
  const more = aPackage("", `alter table ${tableOf(of)} add column by text`).migrations.slice(1);
  const db = await holdfast.tables({ ...of, migrations: [...of.migrations, ...more] });
  await db.query(`insert into ${tableOf(of)} (by) values ('ana')`);
  expect(await applied(of)).toEqual([{ version: 1 }, { version: 2 }]);
});

test("a package's tables are only checked where migrate is false", async () => {
  const of = aPackageWithNotes();
  const holdfast = await open({ migrate: false });
  await expect(holdfast.tables(of)).rejects.toMatchObject({
    code: "SCHEMA_TOO_OLD",
    details: { found: 0, needed: 1, package: of.package },
  });
  await (await open()).tables(of);
  await holdfast.tables(of);
});

test("a package's migration that was edited once applied is refused", async () => {
  const of = aPackageWithNotes();
  await (await open()).tables(of);
  const edited = of.migrations.map((migration) => ({ ...migration, checksum: "another" }));
  await expect((await open()).tables({ ...of, migrations: edited })).rejects.toThrow(/was it edited/);
});

test("tables that are ahead of the package are refused", async () => {
  const of = aPackageWithNotes();
  await (await open()).tables(of);
  await expect((await open()).tables({ ...of, migrations: [] })).rejects.toThrow("(SCHEMA_TOO_NEW)");
});

/** A package's write, as one is to write it. */
async function noter(holdfast: Holdfast) {
  const of = aPackageWithNotes();
  const db = await holdfast.tables(of);
  const answered = Promise.withResolvers<void>();
  return {
    /** The database has answered the first write. */
    answered: answered.promise,
    note: (text: string) => {
      const write = async ({ runId, epoch }: OwnedRun) => {
        const { rows } = await db.query(
          `with head as (
             select run_id, epoch from holdfast.runs
              where run_id = $1 and epoch = $2 and status in ('running', 'waiting', 'queued') for no key update
           )
           insert into ${tableOf(of)} select run_id, epoch, $3 from head returning text`,
          [runId, epoch, text],
        );
        answered.resolve();
        return rows.length > 0 ? "written" : undefined;
      };
      return current()?.owned(write);
    },
    notes: () => sql<{ text: string }>(`select text from ${tableOf(of)}`),
  };
}

test("the owner of a run writes beside its ledger", async () => {
  const holdfast = await open();
  const { note, notes } = await noter(holdfast);
  expect(await holdfast.run(newId(), () => note("mine"))).toBe("written");
  expect(await notes()).toEqual([{ text: "mine" }]);
});

test("whoever was taken over writes nothing beside the ledger, and stops with FENCED", async () => {
  const [zombie, heir] = [await open(), await open()];
  const { note, notes } = await noter(zombie);
  const id = newId();
  const left = Promise.withResolvers<void>();
  const taken = Promise.withResolvers<void>();
  let settled = false;
  const stopped = zombie.run(id, async () => {
    left.resolve();
    await taken.promise;
    await note("from the grave");
    settled = true;
  });
  stopped.catch(() => {});
  await left.promise;
  await stall(id);
  await heir.run(id, () => "done");
  taken.resolve();
  await expect(stopped).rejects.toMatchObject({ code: "FENCED", details: { epoch: 1 } });
  expect({ settled, notes: await notes() }).toEqual({ settled: false, notes: [] });
});

test("a write beside the ledger of a run that has stopped tells nobody that it failed", async () => {
  const holdfast = await open();
  const stopped = Promise.withResolvers<void>();
  const refused = Promise.withResolvers<void>();
  let settled = false;
  const run = holdfast.run(newId(), async () => {
    const writing = current()?.owned(async () => {
      stopped.resolve();
      await refused.promise;
      throw new Error("the pool has ended");
    });
    await writing?.finally(() => {
      settled = true;
    });
  });
  run.catch(() => {});
  await stopped.promise;
  await holdfast.close({ graceSeconds: 0 });
  refused.resolve();
  await expect(run).rejects.toThrow("(DATABASE_UNAVAILABLE)");
  expect(settled).toBe(false);
});

test("what the database refuses of a write beside the ledger is its writer's affair", async () => {
  const holdfast = await open();
  const write = () => current()?.owned(() => Promise.reject(new Error("no such column")));
  await expect(holdfast.run(newId(), write)).rejects.toThrow("no such column");
});

test("a run that has ended writes nothing beside its ledger any more", async () => {
  const holdfast = await open();
  const { note, notes, answered } = await noter(holdfast);
  const ended = Promise.withResolvers<void>();
  await holdfast.run(newId(), () => {
    void ended.promise.then(() => note("late"));
  });
  ended.resolve();
  await answered;
  expect(await notes()).toEqual([]);
});

test("a finished run that is re-run over its ledger writes nothing beside it", async () => {
  const [first, again] = [await open(), await open()];
  const { note, notes } = await noter(first);
  const id = newId();
  const work = async () => {
    const written = await note("once");
    return () => written; // a value that the ledger cannot keep
  };
  expect((await first.run(id, work))()).toBe("written");
  expect((await again.run(id, work))()).toBeUndefined();
  expect(await notes()).toEqual([{ text: "once" }]);
});
