import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import pg from "pg";
import { afterAll, describe, expect, test } from "vitest";
import { startPostgres } from "../../../test/servers/postgres.ts";
import type { Commit } from "../store.ts";
import { postgresStore } from "./postgres-store.ts";

const server = await startPostgres();
afterAll(() => server?.stop());

const commit: Commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: new Map() };
const birth: Commit = { ...commit, create: { createdAt: 0, endsAt: 1e6 }, timeoutMs: 1e6 };
const setting = (value: string): Commit => ({
  ...commit,
  changes: new Map([["a", { value, writer: "server", seq: 0 }]]),
});
const unavailable = (words: string) =>
  expect.objectContaining({ code: "STORE_UNAVAILABLE", message: expect.stringContaining(words) });

test("a new connection that breaks in the same breath is one failure, and ends no process", async () => {
  // A database that shuts down just as it has let somebody in: all in one packet.
  const message = (type: string, ...parts: readonly (string | number)[]) => {
    const body = Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : int32(part))));
    return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
  };
  const int32 = (value: number) => {
    const buffer = Buffer.alloc(4);
    buffer.writeInt32BE(value);
    return buffer;
  };
  const shutDown = "SFATAL\0C57P01\0Mterminating connection due to administrator command\0\0";
  const database = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => socket.end(Buffer.concat([message("R", 0), message("Z", "I"), message("E", shutDown)])));
  }).listen(0, "127.0.0.1");
  await once(database, "listening");
  const uncaught: unknown[] = [];
  const note = (error: unknown) => void uncaught.push(error);
  process.on("uncaughtException", note);
  try {
    const { port } = database.address() as AddressInfo;
    const store = postgresStore(new pg.Pool({ host: "127.0.0.1", port, max: 2 }));
    const calls = await Promise.allSettled([store.read("a"), store.read("a"), store.migrate()]);
    for (const call of calls) expect(call).toMatchObject({ reason: { code: "STORE_UNAVAILABLE" } });
    expect(uncaught).toEqual([]);
  } finally {
    process.off("uncaughtException", note);
    database.close();
  }
});

describe.skipIf(!server)("postgresStore and its pool:", () => {
  if (!server) return;
  const pool = server.pool();
  let schemas = 0;
  const fresh = async (own: pg.Pool) => {
    const schema = `call_${++schemas}`;
    const calm = postgresStore(pool, { schema });
    await calm.migrate();
    await calm.write("a", birth);
    return { store: postgresStore(own, { schema }), schema };
  };

  test("a pool that gives up first, being full, is called full, and one that was ended is called so", async () => {
    const own = server.pool({ max: 1, connectionTimeoutMillis: 300 });
    const { store } = await fresh(own);
    const only = await own.connect();
    await expect(store.read("a")).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      message: expect.stringMatching(/^No connection of the pool has come free within [\d.]+ s \(max: 1\)/),
    });
    only.release();
    expect((await store.read("a"))?.rev).toBe(1);
    await own.end();
    await expect(store.read("a")).rejects.toEqual(unavailable("was ended"));
  });

  test("a connection on which the database took no writes is used no more", async () => {
    await pool.query("CREATE ROLE reader SUPERUSER LOGIN; ALTER ROLE reader SET default_transaction_read_only = on");
    const { store } = await fresh(server.pool({ user: "reader", max: 1 }));
    await expect(store.write("b", birth)).rejects.toEqual(unavailable("takes no writes"));
    await pool.query("ALTER ROLE reader RESET default_transaction_read_only");
    expect(await store.write("b", birth)).toEqual({ ok: true, rev: 1 });
  });

  test("a connection that breaks is one failure, and its place is free", async () => {
    const own = server.pool({ max: 1, application_name: "breaks" });
    const { store, schema } = await fresh(own);
    await store.read("a");
    const other = await pool.connect();
    await other.query(`BEGIN; SELECT FROM ${schema}.session WHERE identifier = 'a' FOR UPDATE`);
    const failed = expect(store.write("a", setting("1"))).rejects.toEqual(unavailable("has closed the connection"));
    const waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    await expect.poll(async () => (await pool.query(waiting)).rows).toHaveLength(1);
    await pool.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'breaks'");
    await failed;
    await other.query("COMMIT");
    other.release();
    expect(await store.write("a", setting("1"))).toEqual({ ok: true, rev: 2 });
    expect(own.totalCount).toBe(1);
  });
});
