import { expect, test } from "vitest";
import { redisStore } from "./redis-store.ts";

const invalid = (message: string) =>
  expect.objectContaining({ name: "SessionError", code: "INVALID_OPTION", message: expect.stringContaining(message) });

const client = { status: "ready", isCluster: false, call: async () => null, duplicate: () => null };

test.for([
  [undefined, "undefined"],
  [null, "null"],
  ["redis://user:canary@host", "a string"],
  [{}, "an object"],
  [{ url: "redis://user:canary@host" }, "an object"],
  [{ get: () => null }, "an object"],
  [() => client, "a function"],
  [Promise.resolve(client), "an object"],
] as const)("what is no client is refused by its kind, and a URL's password is not told: %#", ([wrong, kind]) => {
  // What a caller without types may pass.
  expect(() => redisStore(wrong as never)).toThrow(
    invalid(
      `redisStore: the first argument is ${kind}: pass a client of ioredis, such as new Redis(url), or of redis (node-redis), such as createClient({ url })`,
    ),
  );
});

test.for([
  [{ prefix: "a{b}" }, ': prefix is "a{b}": give text without braces, which name the slots of a cluster'],
  [{ prefix: 5 }, ": prefix is 5: give text"],
  [{ timeout: 0 }, ": timeout is 0: give a finite number of seconds above 0"],
  [{ timeout: Number.NaN }, ": timeout is NaN: give"],
  [{ timeout: "5" }, ': timeout is "5": give'],
  [{ timeout: 3601 }, ": timeout is 3601: give a number of seconds above 0, at most 3600"],
  [{ linger: -1 }, ": linger is -1: give a finite number of seconds, 0 or more"],
  [{ linger: "5" }, ': linger is "5": give'],
  [{ linger: 1e10 }, ": linger is 10000000000: give a number of seconds, at most 1,000,000,000"],
  [{ cacheBytes: "5" }, ': cacheBytes is "5": give a number of bytes, 0 or more'],
  [{ wait: 1 }, ": wait takes its options as an object with any of replicas, timeout"],
  [{ wait: { replica: 1 } }, ': wait has no option "replica": did you mean "replicas"?'],
  [{ wait: {} }, ": wait.replicas is undefined: give a whole number from 1"],
  [{ wait: { replicas: 0 } }, ": wait.replicas is 0: give a whole number from 1"],
  [{ wait: { replicas: 1, timeout: "1" } }, ': wait.timeout is "1": give'],
  [{ wait: { replicas: 1, timeout: 0.0001 } }, ": wait.timeout is 0.0001: give a number of seconds, at least 0.001"],
  [{ wait: { replicas: 1, timeout: 9 } }, ": wait.timeout is 9: give a number of seconds, at least 0.001 and shorter"],
  [{ prefx: "x" }, ' has no option "prefx": did you mean "prefix"?'],
  [null, " takes its options as an object"],
] as const)("an option is refused with its name, the rule and a remedy: %j", ([options, message]) => {
  // What a caller without types may pass.
  expect(() => redisStore(client, options as never)).toThrow(invalid(`redisStore${message}`));
});
