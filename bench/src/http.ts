import { type Contestant, race, start } from "./contestant.ts";
import type { Figure } from "./figure.ts";
import type { Shot } from "./load.ts";
import { names } from "./sessions.ts";

const trpcSet = (key: string): Shot => ({ path: "/trpc/set", body: (n) => ({ key, value: `value ${n}` }) });
const get: Shot = { path: "/trpc/get" };
export const perSecond = (us: number) => `${Math.round(1e6 / us).toLocaleString("en")} /CPU-s (${us.toFixed(0)} µs)`;

/** What the session adds to a query and to a mutation of tRPC, in requests per CPU second of the server. */
export async function besideTrpc(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [adapter, queryTarget] of [
    ["standalone", 0.85],
    ["fetch", 0.75],
  ] as const) {
    const seed = () => ({ path: "/trpc/set", body: { key: "k0", value: "a" } });
    const [ours, bare] = await Promise.all([start(`${adapter}/memory`, seed), start(`${adapter}/bare`, seed)]);
    const add = async (what: string, shot: Shot, least: number) => {
      const { ratio, ...cpu } = await race([ours, shot], [bare, shot]);
      const rival = `the same without a session: ${perSecond(cpu.rival)}`;
      figures.push({ what: `${what}, ${adapter} adapter`, ours: perSecond(cpu.ours), rival, ratio, target: { least } });
    };
    await add("query that reads one value", get, queryTarget);
    await add("mutation that sets one value", trpcSet("k0"), 0.7);
    for (const contestant of [ours, bare]) contestant.stop();
  }
  return figures;
}

/** One key of a 10 KB session changed over HTTP, and 50 at once: Catnap on the fetch adapter, express-session in Express. */
export async function besideExpress(): Promise<Figure[]> {
  const ours = await start("fetch/sqlite", () => ({ path: "/trpc/fill", body: null }));
  const express = await start("express/sqlite", () => ({ path: "/fill", body: {} }));
  const name = "express 5 + express-session, SQLite by libsql";
  const change: Shot = { path: "/set", body: (n) => ({ key: "k50", value: `value ${n}` }) };
  const { ratio, ...cpu } = await race([ours, trpcSet("k50")], [express, change]);
  const lost = await lostUpdates(ours, "/trpc/slowSet", "/trpc/all", (body) => JSON.parse(body).result.data);
  const theirs = await lostUpdates(express, "/slow-set", "/all", (body) => JSON.parse(body));
  for (const contestant of [ours, express]) contestant.stop();
  return [
    {
      what: "change of one key in a 10 KB session, SQLite",
      ours: perSecond(cpu.ours),
      rival: `${name}: ${perSecond(cpu.rival)}`,
      ratio,
      target: { least: 3 },
    },
    {
      what: "updates lost by 50 concurrent handlers that take 10 ms",
      ours: `${lost} lost`,
      rival: `${name}: ${theirs} lost`,
      ratio: lost,
      target: { most: 0 },
    },
  ];
}

/** How many of 50 concurrent changes of different keys of one session are gone afterwards. */
export async function lostUpdates(
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
