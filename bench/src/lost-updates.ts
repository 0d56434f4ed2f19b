import { type Contestant, start } from "./contestant.ts";
import { startRedis } from "./databases.ts";
import type { Figure } from "./figure.ts";
import { besideFirst } from "./first-visits.ts";
import { names } from "./sessions.ts";

/** How many of 50 concurrent changes of one session are gone afterwards, in Catnap and in express-session. */
export async function besideLost(kind: string, ours: Contestant, rival: string, theirs: Contestant): Promise<Figure> {
  const here = await lostUpdates(ours, "/trpc/slowSet", "/trpc/all", (body) => JSON.parse(body).result.data);
  const there = await lostUpdates(theirs, "/slow-set", "/all", (body) => JSON.parse(body));
  return {
    what: `updates lost by 50 concurrent handlers that take 10 ms, ${kind}`,
    ours: `${here} lost`,
    rival: `${rival}: ${there} lost`,
    ratio: here,
    target: { most: 0 },
  };
}

/**
 * How many of 50 concurrent increments of one value do not count, in Catnap and in express-session, and what each takes, beside
 * one that meets no other: fifteen at once, in a session each.
 */
export async function besideCounters(
  kind: string,
  ours: Contestant,
  rival: string,
  theirs: Contestant,
): Promise<Figure> {
  const here = await increments(ours, "/trpc/increment", "/trpc/all", (body) => JSON.parse(body).result.data);
  const there = await increments(theirs, "/increment", "/all", (body) => JSON.parse(body));
  const told = ({ lost, refused, us, alone }: typeof here) =>
    `${lost} lost, ${refused} of them refused, ${us.toFixed(0)} µs each (${(us / alone).toFixed(2)} × one alone)`;
  return {
    what: `increments lost, of 50 at once on one value, ${kind}, its CPU included`,
    ours: told(here),
    rival: `${rival}: ${told(there)}`,
    ratio: here.lost,
    target: { most: 0 },
  };
}

const rounds = 40;
/** Rounds before those that are measured. */
const warmUp = 20;

async function increments(
  { port, cookies, cpu }: Contestant,
  increment: string,
  all: string,
  read: (body: string) => Record<string, unknown>,
): Promise<{ lost: number; refused: number; us: number; alone: number }> {
  const of = (cookie: string) => ({ cookie, "content-type": "application/json" });
  const headers = of(cookies[0]!);
  const value = async () => Number(read(await (await fetch(`http://127.0.0.1:${port}${all}`, { headers })).text()).k0);
  const set = increment.replace("increment", "set");
  for (const cookie of cookies) {
    const body = JSON.stringify({ key: "k0", value: "0" });
    await fetch(`http://127.0.0.1:${port}${set}`, { method: "POST", headers: of(cookie), body });
  }
  const add = async (cookie: string) => {
    const init = { method: "POST", headers: of(cookie), body: "{}" };
    const response = await fetch(`http://127.0.0.1:${port}${increment}`, init);
    await response.text();
    return response.ok;
  };
  const together: string[] = Array(50).fill(cookies[0]);
  const used = { us: 0, alone: 0 };
  const measure = async (what: keyof typeof used, sessions: readonly string[]) => {
    const before = await cpu();
    const answers = await Promise.all(sessions.map(add));
    used[what] += ((await cpu()) - before) / (rounds * sessions.length);
    return answers.filter((ok) => !ok).length;
  };
  let refused = 0;
  for (let round = 0; round < warmUp + rounds; round++) {
    if (round === warmUp) Object.assign(used, { us: 0, alone: 0 });
    refused += await measure("us", together);
    await measure("alone", cookies.slice(1));
  }
  const each = (total: number) => Math.round(total / (warmUp + rounds));
  return { lost: each((warmUp + rounds) * 50 - (await value())), refused: each(refused), ...used };
}

/** The same over the stores that no other figure is taken of. */
export async function besideLostElsewhere(): Promise<Figure[]> {
  const figures: Figure[] = [];
  const valkey = await startRedis("valkey-server");
  if (!valkey) console.warn("valkey is not on this machine: its figure is left out");
  for (const [kind, server, store, database] of [
    ["memory", "memory", "its MemoryStore", undefined],
    ["SQLite", "sqlite", "SQLite by libsql", undefined],
    ...(valkey ? [["valkey", "redis", "connect-redis", valkey] as const] : []),
  ] as const) {
    const ours = await start(`fetch/${server}`, () => ({ path: "/trpc/fill", body: null }), database);
    const theirs = await start(`express/${server}`, () => ({ path: "/fill", body: {} }), database);
    const rival = `express 5 + express-session + ${store}`;
    figures.push(await besideLost(kind, ours, rival, theirs), await besideCounters(kind, ours, rival, theirs));
    figures.push(await besideFirst(kind, ours, rival, theirs));
    for (const contestant of [ours, theirs]) contestant.stop();
  }
  await valkey?.stop();
  return figures;
}

/** How many of 50 concurrent changes of different keys of one session are gone afterwards. */
async function lostUpdates(
  { port, cookies }: Contestant,
  set: string,
  all: string,
  read: (body: string) => Record<string, unknown>,
): Promise<number> {
  const headers = { cookie: cookies[0]!, "content-type": "application/json" };
  const ask = async (path: string, body?: unknown) => {
    const init = body === undefined ? { headers } : { headers, method: "POST", body: JSON.stringify(body) };
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
    const text = await response.text();
    if (!response.ok) throw new Error(text);
    return text;
  };
  const written = names.slice(0, 50);
  await Promise.all(written.map((key) => ask(set, { key, value: `concurrent ${key}` })));
  const values = read(await ask(all));
  return written.filter((key) => values[key] !== `concurrent ${key}`).length;
}
