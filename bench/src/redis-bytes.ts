import type { Contestant } from "./contestant.ts";
import { type Database, redisAt } from "./databases.ts";
import type { Figure } from "./figure.ts";
import { fire, type Shot } from "./load.ts";

/** How much a number that Redis tells of itself grows with each of so many requests. */
async function growth(
  { port }: Database,
  field: string,
  contestant: Contestant,
  shot: Shot,
  cookies: readonly string[],
  requests: number,
): Promise<number> {
  const client = await redisAt(port);
  const told = async () => Number(new RegExp(`^${field}:(\\d+)`, "m").exec(await client.info())?.[1]);
  // First what is not of each request: scripts, and the server's own buffers.
  await fire(contestant.port, shot, cookies, cookies.length);
  const before = await told();
  const count = await fire(contestant.port, shot, cookies, requests);
  const grown = (await told()) - before;
  client.destroy();
  return grown / count;
}

/** What one request that changes 100 bytes of a 10 KB session sends to Redis. */
export async function bytesSent(
  database: Database,
  ours: Contestant,
  rival: string,
  theirs: Contestant,
): Promise<Figure> {
  const body = (n: number) => ({ key: "k50", value: `${n}`.padStart(98, "x") });
  const sent = (contestant: Contestant, path: string) =>
    growth(database, "total_net_input_bytes", contestant, { path, body }, contestant.cookies, 2_000);
  return compare("bytes to redis for a change of 100 bytes in a 10 KB session", 600, rival, {
    ours: await sent(ours, "/trpc/set"),
    rival: await sent(theirs, "/set"),
  });
}

/** What a session that holds a single digit takes in Redis, as it comes: key, indexes and expiry included. */
export async function bytesAtRest(
  database: Database,
  ours: Contestant,
  rival: string,
  theirs: Contestant,
): Promise<Figure> {
  const body = () => ({ key: "k0", value: "1" });
  // A browser without a session: each request begins one. Enough of them to share what an index takes for itself.
  const kept = (contestant: Contestant, path: string) =>
    growth(database, "used_memory", contestant, { path, body }, ["none=none"], 20_000);
  return compare("bytes at rest of a session of one digit, redis", 350, rival, {
    ours: await kept(ours, "/trpc/set"),
    rival: await kept(theirs, "/set"),
  });
}

function compare(what: string, most: number, rival: string, bytes: { ours: number; rival: number }): Figure {
  const words = (count: number) => `${Math.round(count).toLocaleString("en")} bytes`;
  return {
    what,
    ours: words(bytes.ours),
    rival: `${rival}: ${words(bytes.rival)}`,
    ratio: Math.round(bytes.ours),
    target: { most },
  };
}
