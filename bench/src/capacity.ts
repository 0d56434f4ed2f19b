import { postgresStore } from "catnap/postgres";
import { redisStore } from "catnap/redis";
import { inPostgres, inRedis, oneMoreInRedis } from "./at-rest.ts";
import { type Database, poolAt, redisAt, startPostgres, startRedis } from "./databases.ts";
import { extrapolate } from "./extrapolation.ts";
import { columns } from "./figure.ts";
import { identifiers, replay } from "./fill.ts";
import { type Cost, type Costs, costOfChange, costsOf } from "./per-operation.ts";
import { oneCounter, type Rehearsal, syncedCounter, tenValues } from "./rehearsal.ts";
import { sized } from "./sizes.ts";

const count = sized("SESSIONS", 20_000);
const asItComes = { "hash-max-listpack-value": "64", "zset-max-listpack-entries": "128" };
const raised = { ...asItComes, "hash-max-listpack-value": "1024" };
/** As the index of expiry lies once each of its cells has more than 128 sessions. */
const unpacked = { ...raised, "zset-max-listpack-entries": "0" };

const small = "one counter";
const large = "ten values of 100 bytes";
type Shapes = Readonly<Record<typeof small | typeof large | "one counter, begun by a browser's push", Rehearsal>>;
/** Bytes of a session by its shape, and by the name of the column. */
type Sizes = Map<string, Map<string, number>>;

/** What was measured of one database. */
interface Measured {
  readonly sizes: Sizes;
  readonly costs: Costs;
}

function note(sizes: Sizes, shape: string, column: string, bytes: number): void {
  sizes.set(shape, (sizes.get(shape) ?? new Map()).set(column, bytes));
}

async function ofPostgres(database: Database, shapes: Shapes): Promise<Measured & { quiet: Cost }> {
  const pool = poolAt(database.port);
  const sizes: Sizes = new Map();
  for (const [shape, rehearsal] of Object.entries(shapes)) {
    const { fresh, rotated } = await inPostgres(pool, rehearsal, count);
    note(sizes, shape, "PostgreSQL", fresh);
    note(sizes, `${shape}, after a rotation`, "PostgreSQL", rotated);
  }
  const keeping = postgresStore(pool);
  await keeping.migrate();
  const keys = identifiers(shapes[large], count);
  await replay(keeping, shapes[large].begun, keys);
  await pool.query("ANALYZE");
  const costs = await costsOf(database, { keeping, forgetting: postgresStore(pool, { cacheBytes: 0 }) }, keys);
  const quiet = await costOfChange(database, postgresStore(pool, { notify: false }), keys);
  await pool.end();
  return { sizes, costs, quiet };
}

async function ofRedis(database: Database, shapes: Shapes): Promise<Measured & { index: number }> {
  const client = await redisAt(database.port);
  const sizes: Sizes = new Map();
  for (const [shape, rehearsal] of Object.entries(shapes)) {
    for (const [column, settings] of [
      ["Redis, as it comes", asItComes],
      ["Redis, limit 1024", raised],
    ] as const) {
      const { fresh, rotated } = await inRedis(client, rehearsal, count, settings);
      note(sizes, shape, column, fresh);
      note(sizes, `${shape}, after a rotation`, column, rotated);
    }
  }
  const [packed, loose] = [
    await oneMoreInRedis(client, shapes[small], count, raised),
    await oneMoreInRedis(client, shapes[small], count, unpacked),
  ];
  for (const [name, value] of Object.entries(asItComes)) await client.configSet(name, value);
  const keeping = redisStore(client);
  const keys = identifiers(shapes[large], count);
  await replay(keeping, shapes[large].begun, keys);
  const costs = await costsOf(database, { keeping, forgetting: redisStore(client, { cacheBytes: 0 }) }, keys);
  client.destroy();
  return { sizes, costs, index: loose - packed };
}

/**
 * What one session takes at rest and one operation costs, in PostgreSQL and in Redis, and what many sessions need by
 * that. Prints tables of its own: there is no rival here, and no aim.
 */
export async function capacity(): Promise<[]> {
  const shapes = {
    [small]: await oneCounter(),
    "one counter, begun by a browser's push": await syncedCounter(),
    [large]: await tenValues(),
  };
  const [postgres, redis] = [await startPostgres(), await startRedis()];
  if (!postgres || !redis) {
    console.warn("capacity wants both PostgreSQL and Redis: left out");
    return [];
  }
  const [rows, hashes] = [await ofPostgres(postgres, shapes), await ofRedis(redis, shapes)];
  await postgres.stop();
  await redis.stop();
  const names = ["PostgreSQL", "Redis, as it comes", "Redis, limit 1024"];
  const bytes = [...rows.sizes].map(([shape, found]) => {
    const all = new Map([...found, ...(hashes.sizes.get(shape) ?? [])]);
    return [shape, ...names.map((name) => whole(all.get(name)))];
  });
  console.log(`\n${columns([[`bytes a session, of ${whole(count)}`, ...names], ...bytes])}`);
  console.log(`in Redis, once cells of the index of expiry have more than 128 sessions: ${whole(hashes.index)} more`);
  const us = (kind: string, costs: Readonly<Record<string, Cost>>) =>
    Object.entries(costs).map(([what, cost]) => [`${kind}: ${what}`, cost.database.toFixed(1), cost.own.toFixed(1)]);
  const costs = [
    ...us("PostgreSQL", { ...rows.costs, "change of one value, notify: false": rows.quiet }),
    ...us("Redis", hashes.costs),
  ];
  console.log(`\n${columns([[`µs of CPU, ${large}`, "database's", "our own"], ...costs])}`);
  const sizeIn = (sizes: Sizes, column: string) => sizes.get(`${large}, after a rotation`)?.get(column) ?? Number.NaN;
  console.log(
    `\n${extrapolate({
      postgres: { bytes: sizeIn(rows.sizes, "PostgreSQL"), costs: rows.costs, quiet: rows.quiet },
      redis: { bytes: sizeIn(hashes.sizes, "Redis, limit 1024"), index: hashes.index, costs: hashes.costs },
    })}\n`,
  );
  return [];
}

const whole = (n = Number.NaN) => Math.round(n).toLocaleString("en");
