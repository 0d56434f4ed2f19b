import { afterAll, expect, test, vi } from "vitest";
import { startPostgres } from "../../../test/servers/postgres.ts";
import { startProxy } from "../../../test/servers/proxy.ts";
import type { Commit } from "../store.ts";
import { postgresStore } from "./postgres-store.ts";

vi.setConfig({ testTimeout: 60_000 });

const primary = await startPostgres();
const standby = await primary?.standby();
afterAll(async () => {
  await standby?.stop();
  await primary?.stop();
});

const commit: Commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: new Map() };
const birth: Commit = { ...commit, create: { createdAt: 0, endsAt: 1e6 }, timeoutMs: 1e6 };
const setting = (value: string): Commit => ({
  ...commit,
  changes: new Map([["a", { value, writer: "server", seq: 0 }]]),
});

test.skipIf(!standby)(
  "a store goes on with the standby that is promoted, and nothing acknowledged is gone",
  async () => {
    if (!primary || !standby) throw new Error("unreachable");
    const control = primary.pool().on("error", () => undefined);
    await control.query("ALTER SYSTEM SET synchronous_standby_names = 'standby'");
    await control.query("SELECT pg_reload_conf()");
    const synchronous = "SELECT FROM pg_stat_replication WHERE sync_state = 'sync'";
    await expect.poll(async () => (await control.query(synchronous)).rows, { timeout: 10_000 }).toHaveLength(1);

    // The address that the application knows, of whatever leads it to the primary.
    const address = await startProxy(primary.port);
    try {
      const pool = primary.pool({ port: address.port, connectionTimeoutMillis: 1000 });
      const store = postgresStore(pool, { timeout: 2 });
      await store.migrate();
      await store.write("a", birth);
      const heard: number[] = [];
      const stop = store.watch?.("a", (rev) => heard.push(rev));
      let told = 1;
      let running = true;
      const codes = new Set<unknown>();
      const writing = (async () => {
        while (running) {
          const result = await store.write("a", setting(String(told))).catch((error) => void codes.add(error.code));
          if (result?.ok) told = result.rev;
        }
      })();
      await expect.poll(() => told).toBeGreaterThan(20);

      await primary.kill();
      address.aim(standby.port);
      // Not promoted yet, it answers readers and refuses writers.
      await expect
        .poll(async () => (await store.read("a").catch(() => null))?.rev, { timeout: 10_000 })
        .toBeGreaterThanOrEqual(told);
      const before = told;
      await expect(store.write("a", setting("early"))).rejects.toMatchObject({
        code: "STORE_UNAVAILABLE",
        message: expect.stringContaining("takes no writes"),
      });
      expect(told).toBe(before);

      await standby.pool().query("SELECT pg_promote()");
      await expect.poll(() => told, { timeout: 10_000 }).toBeGreaterThan(before + 20);
      running = false;
      await writing;
      expect([...codes]).toEqual(["STORE_UNAVAILABLE"]);
      const record = await store.read("a");
      expect(record?.rev).toBe(told);
      await expect.poll(() => heard.at(-1), { timeout: 10_000 }).toBe(told);
      stop?.();
      await store.close();
    } finally {
      await address.stop();
    }
  },
);
