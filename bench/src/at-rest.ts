import { postgresStore } from "catnap/postgres";
import { redisStore } from "catnap/redis";
import type pg from "pg";
import type { Redis } from "./databases.ts";
import { identifiers, replay } from "./fill.ts";
import type { Rehearsal } from "./rehearsal.ts";

/** Bytes that one of many sessions takes. */
export interface AtRest {
  readonly fresh: number;
  readonly rotated: number;
}

/** Tables, indexes and what belongs to them, in a schema of its own that goes afterwards. */
export async function inPostgres(pool: pg.Pool, rehearsal: Rehearsal, count: number): Promise<AtRest> {
  const schema = "at_rest";
  const store = postgresStore(pool, { schema });
  await store.migrate();
  const bytes = async () => {
    const { rows } = await pool.query<{ bytes: string }>(
      "SELECT sum(pg_total_relation_size(oid)) AS bytes FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind = 'r'",
      [schema],
    );
    return Number(rows[0]?.bytes);
  };
  const empty = await bytes();
  const each = async () => ((await bytes()) - empty) / count;
  // Several that want room at once get more of it than they need: a part of a large table, but all of a small one.
  const oneByOne = { width: 1 };
  const keys = identifiers(rehearsal, count);
  await replay(store, rehearsal.begun, keys, oneByOne);
  const fresh = await each();
  await replay(store, rehearsal.rotated, keys, oneByOne);
  const rotated = await each();
  await pool.query(`DROP SCHEMA ${schema} CASCADE`);
  return { fresh, rotated };
}

async function usedMemory(client: Redis): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await client.info("memory"))?.[1]);
}

/** Keys, indexes and expiry, with such settings, in a server that is empty before and afterwards. */
export async function inRedis(
  client: Redis,
  rehearsal: Rehearsal,
  count: number,
  settings: Readonly<Record<string, string>> = {},
): Promise<AtRest> {
  const store = await emptied(client, rehearsal, settings);
  const empty = await usedMemory(client);
  const each = async () => ((await usedMemory(client)) - empty) / count;
  const keys = identifiers(rehearsal, count);
  await replay(store, rehearsal.begun, keys);
  const fresh = await each();
  await replay(store, rehearsal.rotated, keys);
  const rotated = await each();
  await client.flushAll();
  return { fresh, rotated };
}

/**
 * What each session takes that comes to as many others: from so many to twice as many, so that each hash table of the
 * server grows by half of what it will, wherever between two powers of two it stands.
 */
export async function oneMoreInRedis(
  client: Redis,
  rehearsal: Rehearsal,
  count: number,
  settings: Readonly<Record<string, string>>,
): Promise<number> {
  const store = await emptied(client, rehearsal, settings);
  await replay(store, rehearsal.begun, identifiers(rehearsal, count));
  const before = await usedMemory(client);
  await replay(store, rehearsal.begun, identifiers(rehearsal, count));
  const grown = (await usedMemory(client)) - before;
  await client.flushAll();
  return grown / count;
}

/** A store over an empty server that has taken the settings, and knows the scripts already. */
async function emptied(client: Redis, rehearsal: Rehearsal, settings: Readonly<Record<string, string>>) {
  for (const [name, value] of Object.entries(settings)) await client.configSet(name, value);
  // What has gone home to the store's own memory would not be of the server's.
  const store = redisStore(client, { cacheBytes: 0 });
  for (const request of [rehearsal.begun, rehearsal.rotated]) await replay(store, request, ["warm-up"]);
  await client.flushAll();
  return store;
}
