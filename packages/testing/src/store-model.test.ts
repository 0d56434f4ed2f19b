import type { Commit, Query, SessionInfo, SessionRecord, SessionStore, Touch, WriteResult } from "@catnap/server";
import { memoryStore } from "@catnap/server/memory";
import { postgresStore } from "@catnap/server/postgres";
import { type RedisClient, redisStore } from "@catnap/server/redis";
import { sqliteStore } from "@catnap/server/sqlite";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { startPostgres } from "../../server/test/servers/postgres.ts";
import { startRedis, startRedisCluster } from "../../server/test/servers/redis.ts";

/** The contract once more, as bluntly as it can be put: a plain object, copied whole, nothing in order. */
type Model = Record<string, SessionRecord>;

const deadAt = (s: SessionRecord) => (s.endsAt < s.accessedAt + s.timeoutMs ? s.endsAt : s.accessedAt + s.timeoutMs);

function write(model: Model, key: string, commit: Commit): WriteResult {
  const old = model[key];
  const lives = old !== undefined && commit.now < deadAt(old);
  const no: WriteResult = { ok: false, record: lives ? old : null };
  if (commit.create ? old : !lives) return no;
  for (const [name, rev] of commit.expect) if ((old?.entries.get(name)?.rev ?? 0) !== rev) return no;
  const blank = { identifier: key, rev: 0, createdAt: 0, endsAt: 0, accessedAt: 0, timeoutMs: 0, transactions: 0 };
  const base = old ?? { ...blank, subject: null, authenticatedAt: null, ...commit.create, entries: new Map() };
  const entries = new Map(base.entries);
  for (const [name, { value, writer, seq }] of commit.changes) {
    if (value === undefined) entries.delete(name);
    else entries.set(name, { value, writer, seq, rev: base.rev + 1 });
  }
  model[key] = {
    ...base,
    rev: base.rev + 1,
    accessedAt: old && old.accessedAt > commit.accessedAt ? old.accessedAt : commit.accessedAt,
    transactions: base.transactions + commit.transactions,
    timeoutMs: commit.timeoutMs ?? base.timeoutMs,
    subject: commit.subject ?? base.subject,
    authenticatedAt: commit.authenticatedAt ?? base.authenticatedAt,
    entries,
  };
  return { ok: true, rev: base.rev + 1 };
}

function touch(model: Model, touches: readonly Touch[]) {
  for (const { key, accessedAt, transactions } of touches) {
    const s = model[key];
    if (!s || deadAt(s) <= accessedAt) continue;
    model[key] = { ...s, accessedAt: Math.max(s.accessedAt, accessedAt), transactions: s.transactions + transactions };
  }
}

function remove(model: Model, which: (s: SessionRecord) => boolean): number {
  const going = Object.values(model).filter(which);
  for (const { identifier } of going) delete model[identifier];
  return going.length;
}

function find(model: Model, { subject, expiredAt }: Omit<Query, "limit">) {
  return Object.values(model)
    .filter((s) => subject === undefined || s.subject === subject)
    .filter((s) => expiredAt === undefined || deadAt(s) <= expiredAt)
    .map(({ rev: _, endsAt: __, timeoutMs: ___, entries: ____, ...info }) => info)
    .map((info) => ({ ...info, expiresAt: deadAt(model[info.identifier]!) }))
    .sort((a, b) => (a.identifier < b.identifier ? -1 : 1));
}

async function walk(store: SessionStore, query: Query): Promise<SessionInfo[]> {
  const page = await store.find(query);
  return page.cursor === undefined
    ? [...page.items]
    : [...page.items, ...(await walk(store, { ...query, cursor: page.cursor }))];
}

const key = fc.constantFrom("alice", "bob", "Carol");
const name = fc.constantFrom("a", "b", "~c");
const subject = fc.constantFrom("s1", "s2");
/** Around the minute by which the SQLite store lets its index lag. */
const span = fc.constantFrom(0, 1, 10, 59_999, 60_000, 60_001, 200_000);
const change = fc.record({
  value: fc.constantFrom("1", "2", null, undefined),
  writer: fc.constantFrom("server", "p/w"),
  seq: fc.nat(9),
});
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 3 });

const command = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("wait" as const), span }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("write" as const),
      key,
      create: fc.option(span, { nil: undefined, freq: 2 }),
      earlier: span,
      timeoutMs: maybe(span),
      subject: maybe(subject),
      authenticatedAt: maybe(span),
      transactions: fc.nat(2),
      expect: fc.uniqueArray(fc.tuple(name, fc.constantFrom<"right" | number>("right", "right", "right", 0, 1)), {
        maxLength: 2,
        selector: ([n]) => n,
      }),
      changes: fc.uniqueArray(fc.tuple(name, change), { maxLength: 3, selector: ([n]) => n }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("touch" as const),
      touches: fc.array(fc.record({ key, earlier: span, transactions: fc.nat(2) }), { maxLength: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("delete" as const), key, ifExpired: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("sweep" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("find" as const),
      subject: maybe(subject),
      expired: fc.boolean(),
      limit: fc.integer({ min: 1, max: 4 }),
    }),
  },
);

const defined = <T extends object>(fields: T) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

async function agrees(
  store: SessionStore,
  commands: readonly (typeof command extends fc.Arbitrary<infer C> ? C : never)[],
) {
  const model: Model = {};
  let now = 1_700_000_000_000;
  for (const step of commands) {
    switch (step.kind) {
      case "wait":
        now += step.span;
        break;
      case "write": {
        const { create, earlier, timeoutMs, subject, authenticatedAt, transactions, expect: wanted, changes } = step;
        const current = model[step.key]?.entries;
        const commit: Commit = {
          now,
          accessedAt: now - earlier,
          transactions,
          ...defined({ timeoutMs, subject, authenticatedAt }),
          ...(create === undefined
            ? {}
            : { create: { createdAt: now, endsAt: now + create * 3 }, timeoutMs: timeoutMs ?? 60_000 }),
          expect: new Map(wanted.map(([n, rev]) => [n, rev === "right" ? (current?.get(n)?.rev ?? 0) : rev])),
          changes: new Map(changes),
        };
        expect(await store.write(step.key, commit)).toStrictEqual(write(model, step.key, commit));
        break;
      }
      case "touch": {
        const touches = step.touches.map(({ earlier, ...rest }) => ({ ...rest, accessedAt: now - earlier }));
        await store.touch(touches);
        touch(model, touches);
        break;
      }
      case "delete": {
        const by = step.ifExpired ? now : undefined;
        const gone = remove(model, (s) => s.identifier === step.key && (by === undefined || deadAt(s) <= by));
        expect(await store.delete(step.key, by)).toBe(gone === 1);
        break;
      }
      case "sweep":
        expect(await store.sweep(now, 100)).toBe(remove(model, (s) => deadAt(s) <= now));
        break;
      case "find": {
        const query = defined({ subject: step.subject, expiredAt: step.expired ? now : undefined });
        expect(await walk(store, { ...query, limit: step.limit })).toStrictEqual(find(model, query));
        break;
      }
    }
    for (const k of ["alice", "bob", "Carol"]) expect(await store.read(k)).toStrictEqual(model[k] ?? null);
  }
}

const postgres = await startPostgres();
const redis = await startRedis();
const cluster = await startRedisCluster();
afterAll(() => Promise.all([postgres?.stop(), redis?.stop(), cluster?.stop()]));

const pool = postgres?.pool();
const clients = { ioredis: redis?.ioredis(), nodeRedis: await redis?.nodeRedis(), cluster: cluster?.ioredis() };
let count = 0;
const ofRedis = (client: RedisClient | undefined) =>
  client && (async () => redisStore(client, { prefix: `model${++count}:` }));

/** Each with how often it plays; without a way to make it where its server is not on this machine. */
test.for<[string, (() => Promise<SessionStore>) | undefined, number]>([
  ["memoryStore", async () => memoryStore(), 150],
  ["sqliteStore", async () => sqliteStore(":memory:"), 80],
  [
    "postgresStore",
    pool &&
      (async () => {
        const store = postgresStore(pool, { schema: `model_${++count}` });
        await store.migrate();
        return store;
      }),
    40,
  ],
  ["redisStore by ioredis", ofRedis(clients.ioredis), 40],
  ["redisStore by node-redis", ofRedis(clients.nodeRedis), 20],
  ["redisStore on a cluster", ofRedis(clients.cluster), 20],
])("%s answers any sequence of calls as the model does", async ([, make, numRuns], { skip }) => {
  if (!make) return skip("its server is not on this machine");
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 40, size: "max" }), async (commands) => {
      const store = await make();
      try {
        await agrees(store, commands);
      } finally {
        await store.close();
      }
    }),
    { numRuns },
  );
});
