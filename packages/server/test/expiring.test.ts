import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { createSessions, type SessionStore } from "../src/index.ts";
import { postgresStore } from "../src/stores/postgres/postgres-store.ts";
import { redisStore } from "../src/stores/redis/redis-store.ts";
import { sqliteStore } from "../src/stores/sqlite/sqlite-store.ts";
import { gate, shop } from "./app.ts";
import { startPostgres } from "./servers/postgres.ts";
import { startRedis } from "./servers/redis.ts";

vi.setConfig({ testTimeout: 60_000 });

const postgres = await startPostgres();
const redis = await startRedis("redis-server", { appendonly: "no" });
const folder = mkdtempSync(join(tmpdir(), "catnap-expiring-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
  return Promise.all([postgres?.stop(), redis?.stop()]);
});

async function overPostgres() {
  const store = postgresStore(postgres?.pool() ?? never());
  await store.migrate();
  return store;
}

/** Ways to another handle on the same sessions, with connections of its own as another process has. */
const kinds: [string, boolean, () => Promise<SessionStore>][] = [
  ["PostgreSQL", postgres !== undefined, overPostgres],
  ["Redis", redis !== undefined, async () => redisStore(redis?.ioredis() ?? never())],
  ["SQLite file", true, async () => sqliteStore(join(folder, "sessions.db"))],
];

function never(): never {
  throw new Error("unreachable");
}

const now = 1_700_000_000_000;
const hour = 3_600_000;
const put = (value: string) => ({ value: JSON.stringify(value), writer: "server", seq: 0 });

/** A session that nobody has used for an hour, or whose lifetime was over a second ago, or that lives. */
const fates = {
  timeout: { accessedAt: now - 2 * hour, timeoutMs: hour, endsAt: now + hour },
  lifetime: { accessedAt: now - 2000, timeoutMs: hour, endsAt: now - 1000 },
  alive: { accessedAt: now - 2000, timeoutMs: hour, endsAt: now + hour },
};
type Fate = keyof typeof fates;

async function seed(store: SessionStore, fate: Fate, n: number): Promise<void> {
  const { endsAt, ...times } = fates[fate];
  await store.write(`${"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[n % 26]}${n}-${fate}`, {
    ...{ ...times, now: times.accessedAt, create: { createdAt: now - 3 * hour, endsAt } },
    ...{ transactions: 1, expect: new Map(), changes: new Map([["note", put(`${fate} ${n}`)]]) },
  });
}

describe.each(kinds)("expired sessions over one %s", (_, installed, open) => {
  test.skipIf(!installed)(
    "each is told of, with its reason, although four processes sweep at once and one dies in the middle",
    async () => {
      const store = await open();
      const expired = Array.from({ length: 300 }, (_, n) => ({ n, fate: n % 2 ? "timeout" : ("lifetime" as Fate) }));
      await Promise.all(expired.map(({ n, fate }) => seed(store, fate, n)));
      await seed(store, "alive", 0);

      const told: string[] = [];
      const { opened: never } = gate();
      const dying = gate();
      const process = async (expiring: () => Promise<void>) =>
        createSessions({
          definition: shop,
          store: await open(),
          cookie: { name: "sid" },
          sweepInterval: 0,
          clock: () => now,
          hooks: {
            async expiring(session, reason) {
              await expiring();
              expect(session.value("note")).toMatch(reason);
              told.push(session.value("note") ?? "");
            },
          },
        });
      const doomed = await process(() => {
        dying.open();
        return never;
      });
      const others = await Promise.all([1, 2, 3, 4].map(() => process(() => Promise.resolve())));
      void doomed.sweep();
      await dying.opened;
      const removed = await Promise.all(others.map((sessions) => sessions.sweep()));

      expect(new Set(told)).toEqual(new Set(expired.map(({ n, fate }) => `${fate} ${n}`)));
      // Whoever looks at a session while another tells of it tells again.
      expect(told.length).toBeLessThan(2 * expired.length);
      expect(removed.reduce((sum, count) => sum + count)).toBe(expired.length);
      expect((await store.find({ limit: 10 })).items.map(({ identifier }) => identifier)).toEqual(["A0-alive"]);
      await Promise.all(others.map((sessions) => sessions.close()));
      await store.close();
    },
  );

  test.skipIf(!installed)("of several processes one sweeps by itself, and another when that one is gone", async () => {
    const store = await open();
    const swept: string[] = [];
    const process = async (name: string) => {
      const own = await open();
      const sweep: SessionStore["sweep"] = (...args) => {
        swept.push(name);
        return own.sweep(...args);
      };
      return createSessions({
        definition: shop,
        store: { ...own, sweep },
        cookie: { name: "sid" },
        sweepInterval: 0.2,
      });
    };
    const begun = performance.now();
    const all = new Map(await Promise.all(["a", "b", "c"].map(async (name) => [name, await process(name)] as const)));
    await expect.poll(() => swept.length, { timeout: 20_000 }).toBeGreaterThan(8);
    // As often as one would, not three; on a machine that is slow a turn may be missed and be another's.
    expect(swept.length).toBeLessThanOrEqual((performance.now() - begun) / 200 + 2);
    const first = swept.at(-1) ?? "";
    await all.get(first)?.close();
    all.delete(first);
    await expect.poll(() => swept.at(-1), { timeout: 20_000 }).not.toBe(first);
    await Promise.all([...all.values()].map((sessions) => sessions.close()));
    await store.close();
  });

  test.skipIf(!installed)("one whose last use becomes known only now is not told of, and lives", async () => {
    const store = await open();
    await seed(store, "timeout", 1000);
    const told: unknown[] = [];
    const sessions = createSessions({
      definition: shop,
      store: {
        ...store,
        async read(key) {
          await store.touch([{ key, accessedAt: now - hour - 1, transactions: 1 }]);
          return store.read(key);
        },
      },
      cookie: { name: "sid" },
      sweepInterval: 0,
      clock: () => now - 2,
      hooks: { expiring: (session) => void told.push(session.value("note")) },
    });
    expect(await sessions.sweep()).toBe(0);
    expect(told).toEqual([]);
    await sessions.close();
  });
});
