import { race, start } from "./contestant.ts";
import { type Figure, perSecond } from "./figure.ts";
import type { Shot } from "./load.ts";
import { besideLost } from "./lost-updates.ts";

const trpcSet = (key: string): Shot => ({ path: "/trpc/set", body: (n) => ({ key, value: `value ${n}` }) });
const get: Shot = { path: "/trpc/get" };

/** What the session adds to a query and to a mutation of tRPC, in requests per CPU second of the server. */
export async function besideTrpc(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [adapter, queryTarget, mutationTarget] of [
    ["standalone", 0.85, 0.7],
    ["fetch", 1 / 1.15, 1 / 1.3],
  ] as const) {
    const seed = () => ({ path: "/trpc/set", body: { key: "k0", value: "a" } });
    const [ours, bare] = await Promise.all([start(`${adapter}/memory`, seed), start(`${adapter}/bare`, seed)]);
    const add = async (what: string, shot: Shot, least: number) => {
      const { ratio, ...cpu } = await race([ours, shot], [bare, shot]);
      const rival = `the same without a session: ${perSecond(cpu.rival)}`;
      figures.push({ what: `${what}, ${adapter} adapter`, ours: perSecond(cpu.ours), rival, ratio, target: { least } });
    };
    await add("query that reads one value", get, queryTarget);
    await add("mutation that sets one value", trpcSet("k0"), mutationTarget);
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
  const lost = await besideLost("SQLite", ours, name, express);
  for (const contestant of [ours, express]) contestant.stop();
  return [
    {
      what: "change of one key in a 10 KB session, SQLite",
      ours: perSecond(cpu.ours),
      rival: `${name}: ${perSecond(cpu.rival)}`,
      ratio,
      target: { least: 3 },
    },
    lost,
  ];
}
