import { invalid } from "../../option-checks.ts";
import { randomText } from "../../random.ts";
import { within } from "../deadline.ts";
import { EntryCache, freshStamp } from "../entry-cache.ts";
import type { SessionStore, StoreKey } from "../store.ts";
import { assertSubjectText } from "../subject-text.ts";
import { RedisCalls } from "./calls.ts";
import { driverOf } from "./clients.ts";
import { brief, commitArguments } from "./commit.ts";
import type { RedisClient } from "./driver.ts";
import { fromBrief, parseMeta, toKnown, toRecord } from "./hash.ts";
import { leaseScript } from "./index-scripts.ts";
import { RedisKeys, shardOf } from "./keys.ts";
import { RedisNotices } from "./notices.ts";
import { checkOptions, type RedisStoreOptions } from "./options.ts";
import { tellOfEviction } from "./policy.ts";
import { numberOf, strange, textOf } from "./replies.ts";
import { commitScript, eraseScript, isDone, readScript, touchScript } from "./session-scripts.ts";
import { RedisWalk } from "./walk.ts";
import { RedisWatch } from "./watch.ts";

export type { IoredisClient, NodeRedisClient, RedisClient } from "./driver.ts";
export type { RedisStoreOptions } from "./options.ts";

/** How many touches are under way at once, at the most: what others ask for meanwhile does not wait behind thousands. */
const atOnce = 200;

/** A server takes no time that is much longer: these are thirty thousand years. */
const longestLeaseMs = 1e15;

/**
 * Keeps sessions in Redis or Valkey, 7 or later: one server, Sentinel or a cluster, over your own client of ioredis or
 * `redis`, which stays open when the store closes. Reads are one command, commits one script: one round trip each.
 *
 * What an acknowledged commit survives is the server's persistence, and, with replicas, `wait`. The server must not
 * evict keys that have not expired (`maxmemory-policy noeviction`); one that does is told of on the console. Methods
 * reject with `STORE_UNAVAILABLE` when the server cannot be reached, takes no writes or takes too long, after which a commit
 * may have taken effect all the same; with `STORE_UNUSABLE` when it refuses the client, or holds something else than a
 * session. `touch`, `find` and `sweep` pass by a session that cannot be read, with a line on the console. Throws
 * `INVALID_OPTION` for what is no client, and for an option that does not exist or has a value that it cannot have.
 */
export function redisStore(client: RedisClient, options: RedisStoreOptions = {}): SessionStore {
  checkOptions(options);
  const { prefix = "catnap:", timeout = 5, wait, linger = 3600, cacheBytes = 16_777_216 } = options;
  const timeoutMs = timeout * 1000;
  const driver = driverOf(client, timeoutMs);
  if (wait && !driver.sendBoth) {
    throw invalid(
      "redisStore: wait needs to know a cluster's connections, which this version of redis does not show: update it",
    );
  }
  const keys = new RedisKeys(prefix);
  const lingerMs = String(linger * 1000);
  const publish = driver.sharded ? "SPUBLISH" : "PUBLISH";
  const notices = new RedisNotices();
  const calls = new RedisCalls(driver, {
    timeoutMs,
    wait: wait && { replicas: wait.replicas, timeoutMs: (wait.timeout ?? 1) * 1000 },
    reached: () => void tellOfEviction(client, driver, notices),
  });
  const walk = new RedisWalk(calls, keys, notices);
  const cache = new EntryCache(cacheBytes);
  const watch = new RedisWatch({ driver, notices, channel: (key) => keys.session(key), revision });

  async function revision(key: StoreKey): Promise<number> {
    const m = await calls.command(keys.session(key), "HGET", "m");
    return m === null ? 0 : parseMeta(key, m, null).meta.rev;
  }

  /** Removes a session that has expired by then: true whenever it comes, and made good by the next sweep if it is lost. */
  async function bury(key: StoreKey, by: number): Promise<boolean> {
    return wasThere(key, await calls.evaluate(eraseScript, keys.of(key), [publish, String(by), "", ""]));
  }

  return {
    async read(key) {
      const cached = cache.get(key);
      const session = keys.session(key);
      const reply = cached
        ? await calls.evaluate(readScript, [session], [brief(cached.stamp)])
        : await calls.command(session, "HGETALL");
      const found = cached && isCurrent(reply) ? toKnown(key, reply, cached.record.entries) : toRecord(key, reply);
      if (found) cache.set(key, found.stamp, found.record);
      else cache.drop(key);
      return found?.record ?? null;
    },

    recall: (key) => cache.recall(key),

    async write(key, commit) {
      const names: [string, ...string[]] = keys.of(key);
      if (driver.repeats) names.push(keys.nonces(shardOf(key)));
      if (commit.subject !== undefined) {
        assertSubjectText(commit.subject);
        names.push(keys.subject(shardOf(key), commit.subject));
      }
      const nonce = driver.repeats ? randomText(6) : "";
      const stamp = freshStamp();
      const args = commitArguments(commit, lingerMs, stamp);
      const reply = await calls.change(commitScript, names, (until) => [publish, nonce, until, ...args]);
      if (reply === null) return { ok: false, record: null };
      if (!isDone(reply)) return { ok: false, record: toRecord(key, reply)?.record ?? null };
      const rev = numberOf(reply[0], key);
      // One that was sent again tells no count.
      const [prior = "", count] = textOf(reply[1], key).split(" ");
      cache.advance(key, { rev, stamp, prior: fromBrief(prior) }, commit);
      return commit.on && count !== undefined ? { ok: true, rev, transactions: Number(count) } : { ok: true, rev };
    },

    async touch(touches) {
      for (let i = 0; i < touches.length; i += atOnce) {
        // Late ones do no harm: the session was used then, and one that is dead stays so.
        const some = touches.slice(i, i + atOnce).map(({ key, accessedAt, transactions }) => {
          const args = [String(accessedAt), String(transactions), lingerMs];
          return notices.passing(calls.evaluate(touchScript, keys.of(key), args), 0);
        });
        // All are over before the next ones begin, or the first failure is told.
        for (const outcome of await Promise.allSettled(some)) {
          if (outcome.status === "rejected") throw outcome.reason;
        }
      }
    },

    async delete(key, ifExpiredAt) {
      if (ifExpiredAt !== undefined) return bury(key, ifExpiredAt);
      const waits = wait ? "1" : "";
      return wasThere(key, await calls.change(eraseScript, keys.of(key), (until) => [publish, "", until, waits]));
    },

    async find(query) {
      if (query.subject !== undefined) assertSubjectText(query.subject);
      return walk.find(query);
    },
    sweep: (now, limit) => walk.sweep(now, limit, (key) => bury(key, now)),
    watch: (key, listener) => watch.add(key, listener),
    // Too few replicas had it: the master has it all the same.
    confirms: wait !== undefined,

    async lease(task, holder, forMs) {
      const args = [holder, String(Math.ceil(Math.min(forMs, longestLeaseMs)))];
      return numberOf(await calls.evaluate(leaseScript, [keys.lease(task)], args)) === 1;
    },

    async close() {
      calls.close();
      // A server that is down ends subscriptions by itself.
      await within(timeoutMs, "The session server", watch.stop()).catch(() => undefined);
    },
  };
}

function wasThere(key: StoreKey, reply: unknown): boolean {
  if (!isDone(reply)) throw strange(reply, key);
  return numberOf(reply[0], key) === 1;
}

/** Whether a read's reply is `m` and `u` of a session whose entries are known, not all of its hash, which begins with a name. */
function isCurrent(reply: unknown): reply is [m: unknown, u: unknown] {
  return Array.isArray(reply) && reply.length === 2 && reply[0] !== "m";
}
