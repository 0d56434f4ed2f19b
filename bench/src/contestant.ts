import { fork } from "node:child_process";
import { once } from "node:events";
import { quantile } from "./figure.ts";
import { fire, type Shot } from "./load.ts";
import { serverNode, sized } from "./sizes.ts";

/** A server in a process of its own, with the cookies of sessions that it has begun. */
export interface Contestant {
  readonly port: number;
  readonly cookies: readonly string[];
  /** Microseconds of CPU that the process has used so far. */
  cpu(): Promise<number>;
  stop(): void;
}

/** Starts one of the servers in `servers.ts`; `seed` is what begins a session. The CPU of a database beside it counts as its own. */
export async function start(
  name: string,
  seed: (n: number) => { path: string; body: unknown },
  database?: { readonly port: number; cpu(): number } | { readonly path: string },
): Promise<Contestant> {
  const at = database && "path" in database ? database.path : String(database?.port ?? "");
  const child = fork(new URL("./servers.ts", import.meta.url), [name, at], {
    env: { ...process.env, NODE_ENV: "production" },
    execPath: serverNode,
  });
  const [port] = (await once(child, "message")) as [number];
  return {
    port,
    cookies: await visitors(port, seed),
    async cpu() {
      child.send("cpu");
      const [used] = (await once(child, "message")) as [number];
      return used + (database && "cpu" in database ? database.cpu() : 0);
    },
    stop: () => child.disconnect(),
  };
}

/** The cookies of sixteen sessions that begin now, each by a request of its own. */
export async function visitors(port: number, seed: (n: number) => { path: string; body: unknown }): Promise<string[]> {
  const cookies: string[] = [];
  for (let n = 0; n < 16; n++) {
    const { path, body } = seed(n);
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
    cookies.push(response.headers.getSetCookie()[0]?.split(";")[0] ?? "none=none");
  }
  return cookies;
}

/** The same server, asked by visitors who come without a session each time. */
export const byStrangers = (contestant: Contestant): Contestant => ({
  ...contestant,
  cookies: contestant.cookies.map(() => "none=none"),
});

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
 * Server CPU per request of each contestant, in microseconds. They take turns in many short rounds, and the lower quartile of
 * each counts: what else the machine does can only add to a round.
 */
export async function cpuEach(
  entries: readonly (readonly [Contestant, Shot])[],
  rounds = sized("ROUNDS", 60),
): Promise<number[]> {
  const samples = entries.map((): number[] => []);
  // The first rounds warm up; in each another one goes first.
  for (let round = 0; round < warmUp + rounds; round++) {
    for (let turn = 0; turn < entries.length; turn++) {
      const at = (round + turn) % entries.length;
      const used = await cpuPerRequest(...entries[at]!, round);
      if (round >= warmUp) samples[at]!.push(used);
    }
  }
  return samples.map((used) => quantile(used, 0.25));
}

/** `cpuEach` of two contestants, and the ratio of requests per CPU second of the first to the second. */
export async function race(
  ours: readonly [Contestant, Shot],
  rival: readonly [Contestant, Shot],
  rounds = sized("ROUNDS", 60),
) {
  const [first, second] = (await cpuEach([ours, rival], rounds)) as [number, number];
  return { ours: first, rival: second, ratio: second / first };
}
