import { bytes, invalid, known, seconds, shown, whole } from "../../option-checks.ts";

/** Options of `redisStore`. */
export interface RedisStoreOptions {
  /** What the names of all keys and channels begin with, `catnap:` by default. No braces. */
  prefix?: string;
  /** How long a call may take, in seconds, before it rejects with `STORE_UNAVAILABLE`; 5 by default. */
  timeout?: number;
  /**
   * Commits, and the ends of sessions, answer when so many replicas have them, or reject with `STORE_UNAVAILABLE` when they
   * have not within `timeout` seconds, 1 by default; they may then be in all the same. Without it, a failover may lose what
   * the master has acknowledged last.
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

/** Checks the options of `redisStore`. Throws `INVALID_OPTION` with the option, what it may be, and what to do. */
export function checkOptions(options: RedisStoreOptions): void {
  known("redisStore", options, ["prefix", "timeout", "wait", "linger", "cacheBytes"]);
  const { prefix = "", timeout = 5, wait, linger = 0, cacheBytes = 0 } = options;
  if (typeof prefix !== "string" || /[{}]/.test(prefix)) {
    throw invalid(
      `redisStore: prefix is ${shown(prefix)}: give text without braces, which name the slots of a cluster`,
    );
  }
  if (seconds("redisStore: timeout", timeout) > 3600) {
    throw invalid(`redisStore: timeout is ${timeout}: give a number of seconds above 0, at most 3600`);
  }
  if (seconds("redisStore: linger", linger, 0) > 1e9) {
    throw invalid(`redisStore: linger is ${linger}: give a number of seconds, at most 1,000,000,000`);
  }
  bytes("redisStore: cacheBytes", cacheBytes);
  if (wait === undefined) return;
  known("redisStore: wait", wait, ["replicas", "timeout"]);
  whole("redisStore: wait.replicas", wait.replicas);
  const patience = seconds("redisStore: wait.timeout", wait.timeout ?? 1);
  // 0 would be for ever to the server.
  if (patience < 0.001 || patience >= timeout) {
    throw invalid(
      `redisStore: wait.timeout is ${patience}: give a number of seconds, at least 0.001 and shorter than timeout (${timeout})`,
    );
  }
}
