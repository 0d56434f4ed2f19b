import type { RedisClient, RedisDriver } from "./driver.ts";
import type { RedisNotices } from "./notices.ts";

/** Clients whose servers were asked. */
const asked = new WeakSet<RedisClient>();

/**
 * Asks the masters of a client, once, whether they would rather drop keys than refuse writes, and tells of one that would.
 * Never rejects: where the user may not ask, nobody is told, and the documentation says so.
 */
export async function tellOfEviction(client: RedisClient, driver: RedisDriver, notices: RedisNotices): Promise<void> {
  if (asked.has(client)) return;
  asked.add(client);
  const policies = new Set<string>();
  // CONFIG GET says the same, but far more users and services are refused that.
  for (const outcome of await driver.sendToAll(["INFO", "memory"])) {
    const info = outcome.status === "fulfilled" && typeof outcome.value === "string" ? outcome.value : "";
    policies.add(/^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? "noeviction");
  }
  policies.delete("noeviction");
  if (policies.size === 0) return;
  const which = [...policies].join(" and ");
  notices.tell(
    `the session server has maxmemory-policy ${which}: when memory runs short it drops living sessions, and parts of the indexes by which revokeAll and list find them; set maxmemory-policy to noeviction`,
  );
}
