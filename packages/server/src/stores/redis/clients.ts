import type { SessionError } from "@catnap/shared";
import { invalid, shown } from "../../option-checks.ts";
import type { RedisClient, RedisDriver } from "./driver.ts";
import { type Ioredis, ofIoredis } from "./ioredis.ts";
import {
  type NodeClient,
  type NodeCluster,
  type NodeSentinel,
  ofNodeClient,
  ofNodeCluster,
  ofNodeSentinel,
  queueing,
} from "./node.ts";

/**
 * Knows a client by what it can do; callers wait for a command at most so many milliseconds. Throws `INVALID_OPTION` for
 * one that it does not know, or that would not find what it has written.
 */
export function driverOf(client: RedisClient, timeoutMs: number): RedisDriver {
  // A function has a `call` that is none of ioredis.
  if (typeof client !== "object" || client === null) throw noClient(client);
  // The two libraries type their methods by every command's overloads; the assertions rest on the method by which a
  // client is known.
  if ("call" in client && typeof client.call === "function") return ofIoredis(client as unknown as Ioredis);
  if ("sendCommand" in client && typeof client.sendCommand === "function") {
    if ("nodeClient" in client) return ofNodeCluster(client as unknown as NodeCluster, queueing(timeoutMs));
    if ("acquire" in client) return ofNodeSentinel(client as unknown as NodeSentinel, queueing(timeoutMs));
    if ("isReady" in client) return ofNodeClient(client as unknown as NodeClient, queueing(timeoutMs));
  }
  throw noClient(client);
}

function noClient(given: unknown): SessionError {
  // A text may be a URL with a password in it.
  const what = typeof given === "string" ? "a string" : shown(given);
  return invalid(
    `redisStore: the first argument is ${what}: pass a client of ioredis, such as new Redis(url), or of redis (node-redis), such as createClient({ url })`,
  );
}
