import { byStrangers, type Contestant, cpuEach, start, visitors } from "./contestant.ts";
import { type Database, startRedis } from "./databases.ts";
import type { Figure } from "./figure.ts";
import type { Shot } from "./load.ts";

const frameworks = { express: "Express 5", fastify: "Fastify 5", hono: "Hono", node: "node:http" };
type Framework = keyof typeof frameworks;

/** The sessions that are published for a framework, and how much of their whole request ours may cost. */
const peers = {
  express: { name: "express-session", most: 0.5 },
  fastify: { name: "@fastify/session", most: 0.6 },
};
type Peer = keyof typeof peers;

/** How much of what a peer adds to the bare framework ours may add. */
const addedMost = 0.5;

type Visitors = "small" | "large" | "nobody";
const set = (key: string): Shot => ({ path: "/set", body: (n) => ({ key, value: `value ${n}` }) });
const requests: Readonly<Record<string, { readonly from: Visitors; readonly shot: Shot }>> = {
  "read of one value": { from: "small", shot: { path: "/get" } },
  "change of one value": { from: "small", shot: set("k0") },
  "change of one key in a 10 KB session": { from: "large", shot: set("k50") },
  // The last: each leaves one more session in its store.
  "first visit, a new session with one value": { from: "nobody", shot: set("k0") },
};

/** What a session adds to a request on the doors without tRPC, beside what the framework's published session adds. */
export async function besidePeers(): Promise<Figure[]> {
  const figures = await inStore("memory");
  const redis = await startRedis();
  if (!redis) {
    console.warn("redis is not on this machine: its figures are left out");
    return figures;
  }
  figures.push(...(await inStore("redis", redis)));
  await redis.stop();
  return figures;
}

async function inStore(store: "memory" | "redis", database?: Database): Promise<Figure[]> {
  const field = new Map<string, Record<Visitors, Contestant>>();
  for (const framework of Object.keys(frameworks)) {
    const kinds = ["bare", `ours/${store}`, ...(framework in peers ? [`peer/${store}`] : [])];
    for (const kind of kinds) {
      const name = `${framework}/${kind}`;
      field.set(`${framework}/${kind.split("/")[0]}`, await entered(name, database));
    }
  }
  const figures: Figure[] = [];
  for (const [what, { from, shot }] of Object.entries(requests)) {
    const entries = Array.from(field.values(), (visitors) => [visitors[from], shot] as const);
    const used = await cpuEach(entries);
    const cpu = new Map(Array.from(field.keys(), (name, at) => [name, used[at]!]));
    const where = database ? `${what}, ${store}, its CPU included` : `${what}, ${store}`;
    figures.push(...besideEach(where, cpu));
  }
  for (const { small } of field.values()) small.stop();
  return figures;
}

/** A server, with the visitors of each kind; throws unless it keeps what they set. */
async function entered(name: string, database?: Database): Promise<Record<Visitors, Contestant>> {
  const small = await start(name, () => ({ path: "/set", body: { key: "k0", value: "a" } }), database);
  const large = { ...small, cookies: await visitors(small.port, () => ({ path: "/fill", body: {} })) };
  for (const one of [small, large]) await assertKeeps(name, one);
  return { small, large, nobody: byStrangers(small) };
}

/** Two visitors set a value each. Throws unless each reads their own; without a session, both read what came last. */
async function assertKeeps(name: string, { port, cookies }: Contestant): Promise<void> {
  const two = cookies.slice(0, 2);
  const url = `http://127.0.0.1:${port}`;
  for (const cookie of two) {
    const body = JSON.stringify({ key: "k0", value: cookie });
    const headers = { cookie, "content-type": "application/json" };
    const response = await fetch(`${url}/set`, { method: "POST", headers, body });
    if (!response.ok) throw new Error(`${name}: ${await response.text()}`);
  }
  for (const cookie of two) {
    const { value } = (await (await fetch(`${url}/get`, { headers: { cookie } })).json()) as { value: unknown };
    const kept = name.endsWith("/bare") ? two[1] : cookie;
    if (value !== kept) throw new Error(`${name} has ${value} where ${kept} was set`);
  }
  if (!name.endsWith("/bare") && two[0] === two[1]) throw new Error(`${name} has begun no sessions`);
}

/** Ours in each framework beside the peer there, or, where there is none, beside each of the peers in its own framework. */
function besideEach(what: string, cpu: ReadonlyMap<string, number>): Figure[] {
  const figures: Figure[] = [];
  const us = (used: number) => `${used.toFixed(0)} µs`;
  for (const [framework, title] of Object.entries(frameworks) as [Framework, string][]) {
    const ours = cpu.get(`${framework}/ours`)!;
    const added = ours - cpu.get(`${framework}/bare`)!;
    const own = framework in peers ? [framework as Peer] : (Object.keys(peers) as Peer[]);
    for (const at of own) {
      const { name, most } = peers[at];
      const theirs = cpu.get(`${at}/peer`)!;
      figures.push({
        what: `${title}: ${what}`,
        ours: `${us(ours)}, ${us(added)} for the session`,
        rival: at === framework ? `${name}: ${us(theirs)}` : `${name} in ${frameworks[at]}: ${us(theirs)}`,
        ratio: ours / theirs,
        target: { most },
      });
      if (at !== framework) continue;
      const theirsAdded = theirs - cpu.get(`${at}/bare`)!;
      figures.push({
        what: `${title}: ${what}, what the session adds`,
        ours: us(added),
        rival: `${name} adds ${us(theirsAdded)}`,
        ratio: added / theirsAdded,
        target: { most: addedMost },
      });
    }
  }
  return figures;
}
