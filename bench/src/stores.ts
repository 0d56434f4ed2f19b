import { race, start } from "./contestant.ts";
import { type Database, startPostgres, startRedis } from "./databases.ts";
import type { Figure } from "./figure.ts";

const perSecond = (us: number) => `${Math.round(1e6 / us).toLocaleString("en")} /CPU-s (${us.toFixed(0)} µs)`;

/** Catnap over a database server beside express-session with the published store for it; the CPU of the server and of the database together. */
export async function besideServers(): Promise<Figure[]> {
  const figures: Figure[] = [];
  const compare = async (
    kind: "redis" | "postgres",
    database: Database | undefined,
    rival: string,
    least: { read: number; change: number },
  ) => {
    if (!database) {
      console.warn(`${kind} is not on this machine: its figures are left out`);
      return;
    }
    const ours = await start(`fetch/${kind}`, () => ({ path: "/trpc/fill", body: null }), database);
    const theirs = await start(`express/${kind}`, () => ({ path: "/fill", body: {} }), database);
    for (const [what, shot, target] of [
      ["read of one value", { ours: { path: "/trpc/get" }, rival: { path: "/get" } }, least.read],
      [
        "change of one key",
        {
          ours: { path: "/trpc/set", body: (n: number) => ({ key: "k50", value: `value ${n}` }) },
          rival: { path: "/set", body: (n: number) => ({ key: "k50", value: `value ${n}` }) },
        },
        least.change,
      ],
    ] as const) {
      const { ratio, ...cpu } = await race([ours, shot.ours], [theirs, shot.rival]);
      figures.push({
        what: `${what} in a 10 KB session, ${kind}, its CPU included`,
        ours: perSecond(cpu.ours),
        rival: `express 5 + express-session + ${rival}: ${perSecond(cpu.rival)}`,
        ratio,
        target: { least: target },
      });
    }
    for (const contestant of [ours, theirs]) contestant.stop();
    await database.stop();
  };
  await compare("redis", await startRedis(), "connect-redis", { read: 1.3, change: 2.5 });
  await compare("postgres", await startPostgres(), "connect-pg-simple", { read: 2, change: 3 });
  return figures;
}
