import { afterAll, expect, test, vi } from "vitest";
import { postgresStore } from "../src/stores/postgres/postgres-store.ts";
import { startPostgres } from "./servers/postgres.ts";

vi.stubEnv("CATNAP_POSTGRES", "npm");
const server = await startPostgres();
afterAll(() => server?.stop());

test("a machine without PostgreSQL tests against the one that npm brings", async ({ skip }) => {
  if (!server) return skip("npm brings none for this platform");
  const pool = server.pool();
  expect((await pool.query("SHOW server_version")).rows).toEqual([{ server_version: expect.stringMatching(/^18\./) }]);
  const store = postgresStore(pool);
  await store.migrate();
  const commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: new Map() };
  expect(await store.write("a", { ...commit, create: { createdAt: 0, endsAt: 9 }, timeoutMs: 9 })).toMatchObject({
    rev: 1,
  });
  expect((await store.read("a"))?.rev).toBe(1);
});
