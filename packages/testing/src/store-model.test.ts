import { setImmediate } from "node:timers/promises";
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

const keys = ["alice", "bob", "Carol"];
const key = fc.constantFrom(...keys);
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

type Step = typeof command extends fc.Arbitrary<infer C> ? C : never;

function commitOf(step: Extract<Step, { kind: "write" }>, model: Model, now: number): Commit {
  const { create, earlier, timeoutMs, subject, authenticatedAt, transactions, expect: wanted, changes } = step;
  const current = model[step.key]?.entries;
  return {
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
}

async function agrees(store: SessionStore, commands: readonly Step[]) {
  const model: Model = {};
  let now = 1_700_000_000_000;
  for (const step of commands) {
    switch (step.kind) {
      case "wait":
        now += step.span;
        break;
      case "write": {
        const commit = commitOf(step, model, now);
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
    for (const k of keys) expect(await store.read(k)).toStrictEqual(model[k] ?? null);
  }
}

/** One call of several at once, with its answer. */
interface Call {
  readonly told: string;
  readonly run: (store: SessionStore) => Promise<unknown>;
  readonly model: (model: Model) => unknown;
}

/** A text that is the same for the same, in whatever order its parts came. */
const text = (x: unknown) =>
  JSON.stringify(x, (_, part: unknown) => {
    if (typeof part !== "object" || part === null || Array.isArray(part)) return part;
    const pairs = part instanceof Map ? [...part] : Object.entries(part);
    return Object.fromEntries(pairs.toSorted(([one], [other]) => (one < other ? -1 : 1)));
  });

function single(step: Step, base: Model, now: number): Call | null {
  switch (step.kind) {
    case "write": {
      const commit = commitOf(step, base, now);
      return {
        told: text({ key: step.key, ...commit, expect: [...commit.expect] }),
        run: (store) => store.write(step.key, commit),
        model: (model) => write(model, step.key, commit),
      };
    }
    case "delete": {
      const by = step.ifExpired ? now : undefined;
      return {
        told: `delete ${step.key} ${by}`,
        run: (store) => store.delete(step.key, by),
        model: (model) =>
          remove(model, (s) => s.identifier === step.key && (by === undefined || deadAt(s) <= by)) === 1,
      };
    }
    case "touch": {
      // One session each: what a call does to several need not be one step.
      const touches = step.touches.slice(0, 1).map(({ earlier, ...rest }) => ({ ...rest, accessedAt: now - earlier }));
      return {
        told: text(touches),
        run: (store) => store.touch(touches),
        model: (model) => touch(model, touches),
      };
    }
    case "find":
      return { told: "read", run: (store) => store.read("alice"), model: (model) => model.alice ?? null };
    default:
      return null;
  }
}

/** The states after the calls in any order in which each answers what the store has answered. */
function explanations(before: Model, calls: readonly { call: Call; answer: string }[]): Map<string, Model> {
  if (calls.length === 0) return new Map([[text(before), before]]);
  const found = new Map<string, Model>();
  for (const [i, { call, answer }] of calls.entries()) {
    const model = { ...before };
    if (text(call.model(model)) !== answer) continue;
    for (const [name, after] of explanations(model, calls.toSpliced(i, 1))) found.set(name, after);
  }
  return found;
}

/**
 * Rounds of calls that are under way at once, each through one of two handles of the same store, begun in the order that
 * the scheduler gives. There must be an order one after the other in which the model gives the same answers and comes to
 * the same sessions.
 */
async function agreesAtOnce(
  scheduler: fc.Scheduler,
  stores: readonly SessionStore[],
  rounds: readonly (readonly Step[])[],
) {
  let model: Model = {};
  let now = 1_700_000_000_000;
  for (const steps of rounds) {
    now += 10;
    const calls = steps.map((step) => single(step, model, now)).filter((call) => call !== null);
    const running = calls.map(async (call, i) => {
      await scheduler.schedule(Promise.resolve(), call.told);
      return { call, answer: text(await call.run(stores[i % stores.length]!)) };
    });
    await scheduler.waitAll();
    const answered = await Promise.all(running);
    const found = await Promise.all(keys.map((k) => stores[0]!.read(k)));
    const after = Object.fromEntries(found.filter((s) => s !== null).map((s) => [s.identifier, s]));
    const possible = explanations(model, answered);
    const explained = [...possible.values()].find((state) => keys.every((k) => text(state[k]) === text(after[k])));
    const calm = answered.map(({ call, answer }) => `${call.told} → ${answer}`).join("\n");
    expect(explained, `no order explains\n${text(after)}\nafter\n${text(model)}\nand\n${calm}`).toBeDefined();
    model = explained ?? {};
  }
}

const postgres = await startPostgres();
const redis = await startRedis();
const valkey = await startRedis("valkey-server");
const cluster = await startRedisCluster();
afterAll(() => Promise.all([postgres?.stop(), redis?.stop(), valkey?.stop(), cluster?.stop()]));

const pool = postgres?.pool();
if (pool) await postgresStore(pool).migrate();
const clients = {
  ioredis: redis?.ioredis(),
  nodeRedis: await redis?.nodeRedis(),
  valkey: valkey?.ioredis(),
  cluster: cluster?.ioredis(),
};
let count = 0;
/** Makes a way to one more handle on the same, empty, sessions. */
type Maker = () => Promise<() => SessionStore>;
const ofRedis = (client: RedisClient | undefined): Maker | undefined =>
  client &&
  (async () => {
    const prefix = `model${++count}:`;
    return () => redisStore(client, { prefix });
  });
const same = (store: SessionStore) => () => store;

/** Each with how often it plays; without a way to make it where its server is not on this machine. */
const contestants: [string, Maker | undefined, number][] = [
  ["memoryStore", async () => same(memoryStore()), 150],
  ["sqliteStore", async () => same(sqliteStore(":memory:")), 80],
  [
    "postgresStore",
    pool &&
      (async () => {
        // To make the tables anew takes longer than to play.
        await pool.query("DELETE FROM catnap.session");
        return () => postgresStore(pool);
      }),
    150,
  ],
  ["redisStore by ioredis", ofRedis(clients.ioredis), 40],
  ["redisStore by node-redis", ofRedis(clients.nodeRedis), 20],
  ["redisStore on Valkey", ofRedis(clients.valkey), 20],
  ["redisStore on a cluster", ofRedis(clients.cluster), 20],
];

test.for(contestants)("%s answers any sequence of calls as the model does", async ([, make, numRuns], { skip }) => {
  if (!make) return skip("its server is not on this machine");
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 40, size: "max" }), async (commands) => {
      const store = (await make())();
      try {
        await agrees(store, commands);
      } finally {
        await store.close();
      }
    }),
    { numRuns },
  );
});

const round = fc.array(command, { minLength: 2, maxLength: 5 });

const atOnce = (open: Maker) =>
  fc.asyncProperty(fc.scheduler(), fc.array(round, { minLength: 2, maxLength: 8 }), async (scheduler, rounds) => {
    const another = await open();
    const stores = [another(), another()];
    try {
      await agreesAtOnce(scheduler, stores, rounds);
    } finally {
      for (const store of new Set(stores)) await store.close();
    }
  });

test.for(contestants)(
  "%s answers calls at once as the model does in some order",
  async ([, make, numRuns], { skip }) => {
    if (!make) return skip("its server is not on this machine");
    // What two calls make of each other shows in a few of a hundred rounds.
    await fc.assert(atOnce(make), { numRuns: 5 * numRuns });
  },
);

test("a store that looks before it writes, and not as it writes, is found out", async () => {
  const hasty = async () => {
    const store = memoryStore();
    const write = async (key: string, commit: Commit): Promise<WriteResult> => {
      const entries = (await store.read(key))?.entries;
      await setImmediate();
      const refuses = [...commit.expect].some(([n, rev]) => (entries?.get(n)?.rev ?? 0) !== rev);
      return store.write(key, refuses ? commit : { ...commit, expect: new Map() });
    };
    return same({ ...store, write });
  };
  expect((await fc.check(atOnce(hasty), { numRuns: 500, endOnFailure: true, seed: 1 })).failed).toBe(true);
});
