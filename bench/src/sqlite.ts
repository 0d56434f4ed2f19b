import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SessionStore } from "catnap/server";
import { type SqliteDatabase, sqliteStore } from "catnap/sqlite";
import { type Figure, median } from "./figure.ts";

const value = (n: number) => JSON.stringify(`${n}`.padStart(98, "x"));
const hour = 3_600_000;

/** The driver that `sqliteStore` opens a file with on this Node, so that the ceiling pays the same for it. */
async function open(path: string): Promise<SqliteDatabase> {
  type Module = { DatabaseSync: new (path: string) => SqliteDatabase };
  const { getBuiltinModule } = process as { getBuiltinModule?: (id: string) => Module | undefined };
  const Database = getBuiltinModule?.("node:sqlite")?.DatabaseSync ?? (await import("libsql")).default;
  return new Database(path);
}

/** A commit of one key to a session of so many keys of 100 bytes. */
async function commitTo(store: SessionStore, key: string, size: number): Promise<(n: number) => Promise<void>> {
  const change = (n: number) => ({ value: value(n), writer: "server", seq: 0 });
  const commit = (changes: Map<string, ReturnType<typeof change>>, now: number) => ({
    now,
    accessedAt: now,
    transactions: 1,
    expect: new Map<string, number>(),
    changes,
  });
  const now = Date.now();
  const all = new Map(Array.from({ length: size }, (_, n) => [`k${n}`, change(n)] as const));
  await store.write(key, { ...commit(all, now), timeoutMs: hour, create: { createdAt: now, endsAt: now + hour } });
  return async (n) => {
    const result = await store.write(key, commit(new Map([["k0", change(n)]]), Date.now()));
    if (!result.ok) throw new Error("the commit was refused");
  };
}

/** One row put by a prepared statement that commits by itself: what any store on this driver pays at least. */
async function bareUpsert(path: string, synchronous: string): Promise<(n: number) => Promise<void>> {
  const database = await open(path);
  database.prepare("PRAGMA journal_mode = WAL").all();
  database.exec(`PRAGMA synchronous = ${synchronous}`);
  database.exec("CREATE TABLE bare (session TEXT, key TEXT, value TEXT, PRIMARY KEY (session, key)) WITHOUT ROWID");
  const put = database.prepare("INSERT INTO bare VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value");
  return async (n) => void put.run("the-only-session-there-is", "k0", value(n));
}

/** What one commit costs in time, per durability: with a hundred keys against one, and against a bare upsert. */
export async function besideSqlite(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [durability, synchronous] of [
    ["process", "NORMAL"],
    ["power", "FULL"],
  ] as const) {
    const folder = mkdtempSync(join(tmpdir(), "catnap-bench-"));
    const store = sqliteStore(join(folder, "sessions.db"), { durability });
    const contestants = [
      await commitTo(store, "session-of-one-hundred-keys", 100),
      await commitTo(store, "session-of-one-key-and-no-more", 1),
      await bareUpsert(join(folder, "bare.db"), synchronous),
    ];
    const samples: number[][] = contestants.map(() => []);
    for (let n = -500; n < 4_000; n++) {
      for (const [i, contestant] of contestants.entries()) {
        const before = performance.now();
        await contestant(n);
        if (n >= 0) samples[i]!.push((performance.now() - before) * 1000);
      }
    }
    await store.close();
    rmSync(folder, { recursive: true });
    const [hundred, one, bare] = samples.map(median) as [number, number, number];
    const what = `commit of one key into a session of 100 keys, SQLite, durability "${durability}"`;
    const us = (time: number) => `${time.toFixed(1)} µs`;
    figures.push(
      { what, ours: us(hundred), rival: `a session of 1 key: ${us(one)}`, ratio: hundred / one, target: { most: 1.3 } },
      {
        what,
        ours: us(hundred),
        rival: `a bare prepared upsert: ${us(bare)}`,
        ratio: hundred / bare,
        target: { most: 2 },
      },
    );
  }
  return figures;
}
