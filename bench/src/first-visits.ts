import { byStrangers, type Contestant, race } from "./contestant.ts";
import { type Figure, perSecond } from "./figure.ts";

const value = (n: number) => ({ key: "k0", value: `value ${n}` });

/**
 * A first visit, which begins a session with one value, in Catnap and in express-session; the CPU of the server and of the
 * database together. Each leaves one more session in its store.
 */
export async function besideFirst(kind: string, ours: Contestant, rival: string, theirs: Contestant): Promise<Figure> {
  const { ratio, ...cpu } = await race(
    [byStrangers(ours), { path: "/trpc/set", body: value }],
    [byStrangers(theirs), { path: "/set", body: value }],
  );
  return {
    what: `first visit, a new session with one value, ${kind}, its CPU included`,
    ours: perSecond(cpu.ours),
    rival: `${rival}: ${perSecond(cpu.rival)}`,
    ratio,
    target: { least: 1 },
  };
}
