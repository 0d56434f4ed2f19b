import { fork } from "node:child_process";
import { once } from "node:events";
import { quantile } from "./figure.ts";
import { fire, type Shot } from "./load.ts";
import { sized } from "./sizes.ts";

/** A server in a process of its own, with the cookies of sessions that it has begun. */
export interface Contestant {
  readonly port: number;
  readonly cookies: readonly string[];
  /** Microseconds of CPU that the process has used so far. */
  cpu(): Promise<number>;
  stop(): void;
}

/** Starts one of the servers in `servers.ts`; `seed` is what begins a session. The database's CPU counts as the server's own. */
export async function start(
  name: string,
  seed: (n: number) => { path: string; body: unknown },
  database?: { readonly port: number; cpu(): number },
): Promise<Contestant> {
  const child = fork(new URL("./servers.ts", import.meta.url), [name, String(database?.port ?? "")], {
    env: { ...process.env, NODE_ENV: "production" },
  });
  const [port] = (await once(child, "message")) as [number];
  const cookies: string[] = [];
  for (let n = 0; n < 16; n++) {
    const { path, body } = seed(n);
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${name}: ${await response.text()}`);
    cookies.push(response.headers.getSetCookie()[0]?.split(";")[0] ?? "none=none");
  }
  return {
    port,
    cookies,
    async cpu() {
      child.send("cpu");
      const [used] = (await once(child, "message")) as [number];
      return used + (database?.cpu() ?? 0);
    },
    stop: () => child.disconnect(),
  };
}

const requestsPerRound = 400;
const warmUp = 10;

/** Of more sessions than a round has requests, each round asks others, in their turn. */
async function cpuPerRequest({ port, cookies, cpu }: Contestant, shot: Shot, round: number): Promise<number> {
  const first = cookies.length > requestsPerRound ? (round * requestsPerRound) % cookies.length : 0;
  const turn = [...cookies.slice(first), ...cookies.slice(0, first)];
  const before = await cpu();
  const count = await fire(port, shot, turn, requestsPerRound);
  return ((await cpu()) - before) / count;
}

/**
 * Server CPU per request of two contestants, in microseconds, and the ratio of requests per CPU second of the first to
 * the second. They take turns in many short rounds, and the lower quartile of each counts: what else the machine does
 * can only add to a round.
 */
export async function race(
  ours: readonly [Contestant, Shot],
  rival: readonly [Contestant, Shot],
  rounds = sized("ROUNDS", 60),
) {
  const samples: { ours: number[]; rival: number[] } = { ours: [], rival: [] };
  for (let round = -warmUp; round < rounds; round++) {
    // The first rounds warm up; then each goes first every other time.
    const turns = round % 2 === 0 ? (["ours", "rival"] as const) : (["rival", "ours"] as const);
    for (const turn of turns) {
      const used = await cpuPerRequest(...(turn === "ours" ? ours : rival), round + warmUp);
      if (round >= 0) samples[turn].push(used);
    }
  }
  const quiet = { ours: quantile(samples.ours, 0.25), rival: quantile(samples.rival, 0.25) };
  return { ...quiet, ratio: quiet.rival / quiet.ours };
}
