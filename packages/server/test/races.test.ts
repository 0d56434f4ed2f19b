import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SessionError } from "@catnap/shared";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import type { SessionStore } from "../src/index.ts";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import { postgresStore } from "../src/stores/postgres/postgres-store.ts";
import { redisStore } from "../src/stores/redis/redis-store.ts";
import { sqliteStore } from "../src/stores/sqlite/sqlite-store.ts";
import { adapters, createApp, createBrowser, gate } from "./app.ts";
import { push } from "./pushes.ts";
import { startPostgres } from "./servers/postgres.ts";
import { startRedis, startRedisCluster } from "./servers/redis.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const postgres = await startPostgres();
const redis = await startRedis();
const valkey = await startRedis("valkey-server");
const cluster = await startRedisCluster();
afterAll(() => Promise.all([postgres?.stop(), redis?.stop(), valkey?.stop(), cluster?.stop()]));

const pool = postgres?.pool();
const [client, valkeyClient, clusterClient] = [redis?.ioredis(), valkey?.ioredis(), await cluster?.nodeRedis()];
let count = 0;

/** Absent: its server is not on this machine. */
const stores: Record<string, (() => SessionStore | Promise<SessionStore>) | undefined> = {
  memory: () => memoryStore(),
  sqlite: () => {
    const folder = mkdtempSync(join(tmpdir(), "catnap-races-"));
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
    return sqliteStore(join(folder, "sessions.db"));
  },
  postgres:
    pool &&
    (async () => {
      const store = postgresStore(pool, { schema: `race_${++count}` });
      await store.migrate();
      return store;
    }),
  redis: client && (() => redisStore(client, { prefix: `race${++count}:` })),
  valkey: valkeyClient && (() => redisStore(valkeyClient, { prefix: `race${++count}:` })),
  "a Redis cluster": clusterClient && (() => redisStore(clusterClient, { prefix: `race${++count}:` })),
};

const outcome = (promise: Promise<unknown>) =>
  promise.then(
    () => "ok",
    (error: unknown) => SessionError.from(error)?.code ?? String(error),
  );

for (const [storeName, makeStore] of Object.entries(stores)) {
  for (const [adapterName, mount] of Object.entries(adapters)) {
    describe.skipIf(!makeStore)(`races on ${storeName} through ${adapterName}`, () => {
      if (!makeStore) return;
      const start = async (options: Parameters<typeof createApp>[0] = {}) => {
        const store = await makeStore();
        const read = store.read.bind(store);
        let reads = 0;
        store.read = async (key) => {
          const record = await read(key);
          reads++;
          return record;
        };
        const app = createApp({ store, ...options });
        const server = await mount(app);
        cleanups.push(() => store.close());
        cleanups.push(() => app.sessions.close());
        cleanups.push(() => server.close());
        const browser = createBrowser(server.url);
        await browser.api.session.setValue.mutate({ key: "note", value: "first" });
        /** A second connection of the same browser: the same cookie, as it is now. */
        const again = () => {
          const twin = createBrowser(server.url);
          for (const [name, content] of browser.jar) twin.jar.set(name, content);
          return twin;
        };
        /** Starts a request and waits until the server has read the session for it. */
        const underWay = async <T>(start: () => Promise<T>): Promise<{ result: Promise<T> }> => {
          const before = reads;
          const result = start();
          result.catch(() => undefined);
          await expect.poll(() => reads, { interval: 1 }).toBeGreaterThan(before);
          return { result };
        };
        return { ...browser, app, store, url: server.url, again, underWay };
      };

      test("R1: two writers of different keys at once: both are kept", async () => {
        const { gates, open } = gated("slow");
        const { api, again, underWay } = await start({ gates });
        const slow = await underWay(() => again().api.slowNote.mutate({ note: "slow", gate: "slow" }));
        await api.session.setValue.mutate({ key: "theme", value: "dark" });
        open();
        await slow.result;
        expect(await api.session.values.query()).toEqual({ note: "slow", theme: "dark" });
      });

      test("R1: a push that another writer overtakes hears of the other's key in its answer", async () => {
        const { api, again, app, store } = await start();
        const { identifier, rev } = await app.sessions
          .wake(new Request("http://shop.test", { headers: { cookie: `sid=${[...again().jar.values()]}` } }))
          .snapshot();
        const { open, opened } = gate();
        const write = store.write.bind(store);
        store.write = async (key, commit) => {
          if (commit.changes.has("theme")) await opened;
          return write(key, commit);
        };
        const ops = [{ seq: 1, key: "theme", value: '"dark"', base: 0 }];
        const pushing = again().api.session.sync.mutate(push({ identifier, since: rev, ops }));
        await api.session.setValue.mutate({ key: "note", value: "second" });
        open();
        expect(await pushing).toMatchObject({ rev: rev + 2, entries: { note: { value: '"second"', rev: rev + 1 } } });
      });

      test("R2: a slow writer against a logout: the session stays dead, the writer hears SESSION_GONE", async () => {
        const { gates, open } = gated("slow");
        const { api, again, store, underWay } = await start({ gates });
        const { identifier } = await api.facts.query();
        const late = again();
        const slow = await underWay(() => outcome(late.api.slowNote.mutate({ note: "late", gate: "slow" })));
        await api.logout.mutate({});
        open();
        expect(await slow.result).toBe("SESSION_GONE");
        expect(await store.read(identifier)).toBeNull();
        expect(late.seen.flatMap(({ setCookie }) => setCookie)).toEqual([]);
      });

      test("R3: a slow reader against a logout: the session stays dead, and no cookie is set", async () => {
        const { gates, open } = gated("slow");
        const { api, again, store, underWay } = await start({ gates });
        const { identifier } = await api.facts.query();
        const late = again();
        const slow = await underWay(() => late.api.slowRead.query({ gate: "slow" }));
        await api.logout.mutate({});
        open();
        await slow.result;
        expect(await store.read(identifier)).toBeNull();
        expect(late.seen.flatMap(({ setCookie }) => setCookie)).toEqual([]);
        expect(await late.api.session.values.query()).toEqual({});
      });

      test("R4: a slow reader against a writer: the write is kept", async () => {
        const { gates, open } = gated("slow");
        const { api, again, underWay } = await start({ gates });
        const late = again();
        const slow = await underWay(() => late.api.slowRead.query({ gate: "slow" }));
        await api.session.setValue.mutate({ key: "note", value: "second" });
        open();
        expect(await slow.result).toBe("first"); // the transaction's own view
        expect(await api.session.value.query({ key: "note" })).toBe("second");
      });

      test("R5: a write in flight across a rotation lands on the living session, and the old token is not issued again", async () => {
        const { gates, open } = gated("slow");
        const clock = { now: Date.now() };
        const reports: unknown[] = [];
        const { api, again, jar, underWay } = await start({
          gates,
          clock: () => clock.now,
          report: (event) => reports.push(event),
        });
        const old = again();
        const slow = await underWay(() => old.api.slowNote.mutate({ note: "in flight", gate: "slow" }));
        const token = jar.get("sid");
        await api.rotate.mutate({});
        open();
        await slow.result;
        expect(jar.get("sid")).not.toBe(token);
        expect(await api.session.value.query({ key: "note" })).toBe("in flight");
        expect(await old.api.session.value.query({ key: "note" })).toBe("in flight"); // within the grace
        expect(old.seen.flatMap(({ setCookie }) => setCookie)).toEqual([]);
        expect(reports).toEqual([]);
        clock.now += 61_000;
        expect(await old.api.session.values.query()).toEqual({});
        const { identifier } = await api.facts.query();
        expect(reports).toEqual([{ kind: "reuse", identifier, subject: null, ended: false }]);
        expect(await api.session.value.query({ key: "note" })).toBe("in flight");
      });

      test("R6: several first requests at once from one browser end in one session", async () => {
        const { url } = await start();
        const nonce = "n".repeat(43);
        const tabs = Array.from({ length: 5 }, () => createBrowser(url));
        const answers = await Promise.all(
          tabs.map(({ api }, i) =>
            api.session.sync.mutate(
              push({ writer: `writer-${i}`, nonce, ops: [{ seq: 1, key: "clicks", value: "1", base: 0, from: null }] }),
            ),
          ),
        );
        const identifiers = new Set(answers.map((answer) => (answer.ok ? answer.identifier : answer.code)));
        expect(identifiers.size).toBe(1);
        expect(new Set(tabs.map(({ jar }) => jar.get("sid"))).size).toBe(1);
        expect(await tabs[0]?.api.session.value.query({ key: "clicks" })).toBe(5);
      });

      test("R7: increments at once are counted exactly", async () => {
        const { again, api } = await start();
        await Promise.all(Array.from({ length: 12 }, () => again().api.increment.mutate()));
        expect(await api.session.value.query({ key: "visits" })).toBe(12);
      });

      test("R8: revokeAll against logins at once leaves none of those that were there when it ended", async () => {
        const { app, url, store } = await start();
        const logins = Array.from({ length: 6 }, () => createBrowser(url).api.login.mutate({ subject: "ann" }));
        const revoking = app.sessions.revokeAll({ subject: "ann" });
        await Promise.allSettled([...logins, revoking]);
        await app.sessions.revokeAll({ subject: "ann" });
        expect(await app.sessions.list({ subject: "ann" })).toEqual([]);
        expect((await store.find({ subject: "ann", limit: 10 })).items).toEqual([]);
      });

      test("R9: a sweep against an access at the edge of expiry never takes a session that is in use", async () => {
        const clock = { now: Date.now() };
        const { app, api } = await start({ clock: () => clock.now, timeout: 10 });
        for (let i = 0; i < 5; i++) {
          clock.now += 9_999;
          const [value] = await Promise.all([api.session.value.query({ key: "note" }), app.sessions.sweep()]);
          expect(value).toBe("first");
        }
        clock.now += 20_000;
        expect(await app.sessions.sweep()).toBe(1);
      });
    });
  }
}

function gated(name: string) {
  const { open, opened } = gate();
  return { gates: { [name]: opened }, open };
}
