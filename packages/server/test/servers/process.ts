import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

/** A port that is free just now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** The path of a program, in one of these folders or on the PATH. */
export function findProgram(name: string, folders: readonly string[] = []): string | undefined {
  const all = [...folders, ...(process.env.PATH ?? "").split(delimiter)];
  return all.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** The folders `<folder>/<any>/bin`, the latest first. */
export function versionsIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const byNumber = (a: string, b: string) => Number(b) - Number(a);
  return readdirSync(folder)
    .sort(byNumber)
    .map((version) => join(folder, version, "bin"));
}

/**
 * What to do without a program: nothing, and a word about it, so that the suites of other stores run on any machine; but
 * where everything is required, as in CI, a suite that cannot run is a failure.
 */
export function missing(program: string, remedy: string): undefined {
  const words = `${program} is not on this machine: ${remedy}`;
  if (process.env.CATNAP_REQUIRE === "all") throw new Error(words);
  console.warn(`${words}. Its suites are skipped.`);
  return undefined;
}

/** A server's process, which ends with ours at the latest. */
export class ServerProcess {
  readonly #start: () => ChildProcess;
  #child: ChildProcess | undefined;
  #output = "";

  constructor(program: string, args: readonly string[], user: { uid?: number; gid?: number } = {}) {
    this.#start = () => spawn(program, args, { ...user, stdio: ["ignore", "pipe", "pipe"] });
    process.once("exit", () => this.#child?.kill("SIGKILL"));
  }

  /** Starts it and waits until it answers. */
  async start(answers: () => Promise<unknown>): Promise<void> {
    const child = this.#start();
    this.#child = child;
    this.#output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.#output = (this.#output + chunk.toString()).slice(-4000);
      });
    }
    for (const deadline = performance.now() + 20_000; ; await pause(20)) {
      try {
        await answers();
        return;
      } catch (cause) {
        const dead = child.exitCode !== null || performance.now() > deadline;
        if (dead) throw new Error(`${child.spawnfile} does not come up: ${this.#output}`, { cause });
      }
    }
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }
}
