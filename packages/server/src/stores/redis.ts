import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { SessionError } from "@catnap/shared";
import type { Query, SessionInfo, SessionStore, StoreKey } from "../store.ts";
import { expiresAt } from "../store.ts";
import { within } from "./deadline.ts";
import { EntryCache, freshStamp } from "./entry-cache.ts";
import { codeOf, driverOf, type RedisClient, translate } from "./redis-driver.ts";
import { brief, commitArguments, fromBrief, parseMeta, toPairs, toRecord } from "./redis-hash.ts";
import { cellOf, RedisKeys, shardCount, shardOf } from "./redis-keys.ts";
import {
  commitScript,
  dueScript,
  eraseScript,
  healScript,
  listScript,
  readScript,
  type Script,
  touchScript,
} from "./redis-scripts.ts";
import { RedisWatch } from "./redis-watch.ts";

export type { IoredisClient, NodeRedisClient, RedisClient } from "./redis-driver.ts";

/** Options of `redisStore`. */
export interface RedisStoreOptions {
  /** What the names of all keys and channels begin with, `catnap:` by default. No braces. */
  prefix?: string;
  /** How long a call may take, in seconds, before it rejects with `STORE_UNAVAILABLE`; 5 by default. */
  timeout?: number;
  /**
   * Commits answer when so many replicas have them, or reject with `STORE_UNAVAILABLE` when they have not within
   * `timeout` seconds, 1 by default; the commit may then be in all the same. Without it, a failover may lose what the
   * master has acknowledged last.
   */
  wait?: { replicas: number; timeout?: number };
  /**
   * For how long at least the server keeps a session that has expired, in seconds, 3600 by default, so that a sweep can
   * tell of it: longer than the time between two sweeps. It may be a minute more.
   */
  linger?: number;
  /**
   * How much memory the entries of lately used sessions may take, in bytes; 16,777,216 by default, 0 for none. They are
   * used only where the server says that they are still what it holds, whoever else writes to it.
   */
  cacheBytes?: number;
}

/** For how long a call waits for a client that has lost its connection, in milliseconds, before it rejects; a client that stays without one longer rejects at once. */
const reconnectMs = 1_000;

/** How many shards a walk asks at once, at the most. */
const widest = 32;

/**
 * Keeps sessions in Redis or Valkey, 7 or later: one server, Sentinel or a cluster, over your own client of ioredis or
 * `redis`, which stays open when the store closes. Reads are one command, commits one script: one round trip each.
 *
 * What an acknowledged commit survives is the server's persistence, and, with replicas, `wait`. The server must not
 * evict keys that have not expired (`maxmemory-policy noeviction`). Methods reject with `STORE_UNAVAILABLE` when the
 * server cannot be reached, takes no writes or takes too long, after which a commit may have taken effect all the same;
 * with `STORE_UNUSABLE` when it refuses the client or holds something else. Throws `INVALID_OPTION`.
 */
export function redisStore(client: RedisClient, options: RedisStoreOptions = {}): SessionStore {
  checkOptions(options);
  const { prefix = "catnap:", timeout = 5, wait, linger = 3600, cacheBytes = 16_777_216 } = options;
  const timeoutMs = timeout * 1000;
  const driver = driverOf(client, timeoutMs);
  const keys = new RedisKeys(prefix);
  const lingerMs = String(linger * 1000);
  const publish = driver.sharded ? "SPUBLISH" : "PUBLISH";
  const waitCommand = wait && (["WAIT", String(wait.replicas), String(Math.ceil((wait.timeout ?? 1) * 1000))] as const);
  const cache = new EntryCache(cacheBytes);
  let closed = false;
  let downSince: number | undefined;
  const watch = new RedisWatch({ driver, channel: (key) => keys.session(key), revision });

  /** Waits for a connection, so that no command lies in the client's queue after its caller was told that it failed. */
  async function connected(): Promise<void> {
    for (;;) {
      if (closed) throw new SessionError("STORE_UNAVAILABLE", "This redisStore is closed: make another one");
      const state = driver.state();
      if (state === "ready") {
        downSince = undefined;
        return;
      }
      downSince ??= performance.now();
      if (state === "closed" || performance.now() - downSince > Math.min(reconnectMs, timeoutMs)) {
        const remedy = state === "closed" ? "connect the client before its first use" : "make sure that it is up";
        throw new SessionError("STORE_UNAVAILABLE", `The session server is not connected: ${remedy}`);
      }
      await pause(10);
    }
  }

  async function run<T>(work: () => Promise<T>): Promise<T> {
    try {
      if (closed || driver.state() !== "ready") await connected();
      return await within(timeoutMs, "The session server", work());
    } catch (error) {
      throw translate(error);
    }
  }

  const command = (key: string, name: string, ...args: string[]) => run(() => driver.send(key, [name, key, ...args]));

  /** Runs a script, by its name where the server knows it. All keys are in one slot. */
  function evaluate(script: Script, names: readonly [string, ...string[]], args: readonly string[]): Promise<unknown> {
    const rest = [String(names.length), ...names, ...args];
    return run(() =>
      driver.send(names[0], ["EVALSHA", script.sha, ...rest]).catch((error: unknown) => {
        if (codeOf(error) !== "NOSCRIPT") throw error;
        return driver.send(names[0], ["EVAL", script.source, ...rest]);
      }),
    );
  }

  /** As `evaluate`, and asks in the same breath how many replicas have it. */
  function evaluateAndWait(script: Script, names: readonly [string, ...string[]], args: readonly string[]) {
    if (!wait || !waitCommand) return evaluate(script, names, args);
    const rest = [String(names.length), ...names, ...args];
    return run(async () => {
      let outcome: [unknown, unknown];
      try {
        outcome = await driver.sendBoth(names[0], ["EVALSHA", script.sha, ...rest], waitCommand);
      } catch (error) {
        if (codeOf(error) !== "NOSCRIPT") throw error;
        outcome = await driver.sendBoth(names[0], ["EVAL", script.source, ...rest], waitCommand);
      }
      const [reply, replicas] = outcome;
      if (Number(replicas) < wait.replicas && isDone(reply)) {
        throw new SessionError(
          "STORE_UNAVAILABLE",
          `Only ${replicas} of ${wait.replicas} replicas have the commit: see to the replicas, then try again`,
        );
      }
      return reply;
    });
  }

  async function revision(key: StoreKey): Promise<number> {
    const m = await command(keys.session(key), "HGET", "m");
    return typeof m === "string" ? parseMeta(m, null).meta.rev : 0;
  }

  async function info(identifier: StoreKey): Promise<SessionInfo | null> {
    const [m, u = null] = (await command(keys.session(identifier), "HMGET", "m", "u")) as (string | null)[];
    if (m == null) return null;
    const { endsAt, timeoutMs, rev: _, ...rest } = parseMeta(m, u).meta;
    return { identifier, ...rest, expiresAt: expiresAt({ endsAt, timeoutMs, accessedAt: rest.accessedAt }) };
  }

  async function erase(key: StoreKey, ifExpiredAt?: number): Promise<boolean> {
    const names = keys.of(key);
    const args = [publish, ifExpiredAt === undefined ? "" : String(ifExpiredAt)];
    return Number(await evaluate(eraseScript, names, args)) === 1;
  }

  /** A shard's cells that may hold sessions which expire by then, from a cell on, in the order of their identifiers. */
  async function cellsOf(shard: number, latest: string, from: number): Promise<string[]> {
    const cells = (await command(keys.cells(shard), "ZRANGEBYSCORE", "-inf", latest)) as string[];
    const numbers = cells.map(Number).filter((cell) => cell >= from);
    return numbers.sort((a, b) => a - b).map((cell) => keys.cell(shard, cell));
  }

  /** Sessions of a shard that come after the cursor, in order; not `complete`: there may be more. */
  async function candidates(shard: number, cursor: StoreKey, { subject, expiredAt, limit }: Query) {
    if (subject !== undefined) {
      const ids = (await command(keys.subject(shard, subject), "ZRANGE", "0", "-1")) as string[];
      return { ids: ids.filter((id) => id > cursor).sort(), complete: true };
    }
    const latest = expiredAt === undefined ? "+inf" : String(expiredAt);
    const [first, ...others] = await cellsOf(shard, latest, cellOf(cursor));
    if (first === undefined) return { ids: [], complete: true };
    const known = cursor !== "" && first === keys.cell(shard, cellOf(cursor)) ? "1" : "0";
    const found = await evaluate(listScript, [first, ...others], [latest, String(limit + 1), known]);
    const [looked, ...ids] = found as [number, ...string[]];
    return { ids: ids.filter((id) => id > cursor).sort(), complete: Number(looked) === others.length + 1 };
  }

  /** Sessions of a shard that may have expired by then, in no order. */
  async function overdue(shard: number, now: number, limit: number): Promise<string[]> {
    const cells = await cellsOf(shard, String(now), 0);
    if (cells.length === 0) return [];
    return (await evaluate(dueScript, [keys.cells(shard), ...cells], [String(now), String(limit)])) as string[];
  }

  /** What of a session is asked for; heals the subject's index of those that do not belong there any more. */
  async function wanted(identifier: StoreKey, { subject, expiredAt }: Query): Promise<SessionInfo | null> {
    const found = await info(identifier);
    if (subject !== undefined && found?.subject !== subject) {
      const names = [keys.subject(shardOf(identifier), subject), keys.session(identifier)] as const;
      await evaluate(healScript, names, [identifier, `=${subject}`]);
      return null;
    }
    return found !== null && (expiredAt === undefined || found.expiresAt <= expiredAt) ? found : null;
  }

  return {
    async read(key) {
      const cached = cache.get(key);
      const session = keys.session(key);
      const reply = cached
        ? await evaluate(readScript, [session], [brief(cached.stamp)])
        : await command(session, "HGETALL");
      if (cached && isCurrent(reply)) {
        return { identifier: key, ...parseMeta(...reply).meta, entries: cached.entries };
      }
      const found = toRecord(key, toPairs(reply));
      if (found) cache.set(key, found.stamp, found.record.entries);
      else cache.drop(key);
      return found?.record ?? null;
    },

    async write(key, commit) {
      const names: [string, ...string[]] = keys.of(key);
      if (commit.subject !== undefined) names.push(keys.subject(shardOf(key), commit.subject));
      const nonce = driver.repeats ? randomBytes(6).toString("base64url") : "";
      const stamp = freshStamp();
      const args = [publish, nonce, ...commitArguments(commit, lingerMs, stamp)];
      const reply = await evaluateAndWait(commitScript, names, args);
      if (reply === null) return { ok: false, record: null };
      if (!isDone(reply)) return { ok: false, record: toRecord(key, toPairs(reply))?.record ?? null };
      const rev = Number(reply[0]);
      const prior = fromBrief(String(reply[1]));
      cache.advance(key, { rev, stamp, prior }, commit.changes);
      return { ok: true, rev };
    },

    async touch(touches) {
      await Promise.all(
        touches.map(({ key, accessedAt, transactions }) =>
          evaluate(touchScript, keys.of(key), [String(accessedAt), String(transactions), lingerMs]),
        ),
      );
    },

    delete: erase,

    async find(query) {
      const items: SessionInfo[] = [];
      let cursor = query.cursor ?? "";
      let width = 4;
      walk: for (let shard = shardOf(cursor); shard < shardCount && items.length <= query.limit; ) {
        const wave = Array.from({ length: Math.min(width, shardCount - shard) }, (_, i) => shard + i);
        const lists = await Promise.all(wave.map((one) => candidates(one, cursor, query)));
        for (const { ids, complete } of lists) {
          const some = ids.slice(0, query.limit + 1 - items.length);
          const infos = await Promise.all(some.map((id) => wanted(id, query)));
          items.push(...infos.filter((found) => found !== null));
          cursor = some.at(-1) ?? cursor;
          if (some.length < ids.length || !complete) continue walk;
          shard++;
        }
        width = Math.min(width * 2, widest);
      }
      const last = items[query.limit - 1];
      return items.length > query.limit && last !== undefined
        ? { items: items.slice(0, query.limit), cursor: last.identifier }
        : { items };
    },

    async sweep(now, limit) {
      const shards = Array.from({ length: shardCount }, (_, shard) => shard);
      let removed = 0;
      for (;;) {
        const left = limit - removed;
        const due = await Promise.all(shards.map((shard) => overdue(shard, now, left)));
        const ids = due.flat();
        // From a random place on, so that processes that sweep at once mostly take different ones.
        const start = Math.floor(Math.random() * Math.max(1, ids.length - left + 1));
        const gone = await Promise.all(ids.slice(start, start + left).map((id) => erase(id, now)));
        removed += gone.filter(Boolean).length;
        if (ids.length < left || removed >= limit) return removed;
      }
    },

    watch: (key, listener) => watch.add(key, listener),

    async close() {
      closed = true;
      watch.stop();
    },
  };
}

/** Whether a commit's reply is its revision and the stamp before it, not the hash of a session that refuses. */
function isDone(reply: unknown): reply is [unknown, unknown] {
  return Array.isArray(reply) && reply.length === 2 && !Number.isNaN(Number(reply[0]));
}

/** Whether a read's reply is `m` and `u` of a session whose entries are known, not all of its hash, which begins with a name. */
function isCurrent(reply: unknown): reply is [m: string, u: string | null] {
  return Array.isArray(reply) && reply.length === 2 && reply[0] !== "m";
}

function checkOptions({ prefix = "", timeout = 5, wait, linger = 0, cacheBytes = 0 }: RedisStoreOptions) {
  const invalid = (message: string) => new SessionError("INVALID_OPTION", `redisStore: ${message}`);
  if (/[{}]/.test(prefix)) throw invalid("prefix must not hold braces, which name the slots of a cluster");
  if (!(timeout > 0 && timeout <= 3600)) throw invalid("timeout must be a number of seconds above 0");
  if (!(linger >= 0 && linger <= 1e9)) throw invalid("linger must be a number of seconds from 0");
  if (!(cacheBytes >= 0)) throw invalid("cacheBytes must be a number from 0");
  if (!wait) return;
  if (!Number.isSafeInteger(wait.replicas) || wait.replicas < 1)
    throw invalid("wait.replicas must be a whole number from 1");
  const { timeout: patience = 1 } = wait;
  // 0 would be for ever to the server.
  if (!(patience >= 0.001 && patience < timeout)) throw invalid("wait.timeout must be shorter than timeout, and not 0");
}
