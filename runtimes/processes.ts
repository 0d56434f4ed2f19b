import { spawn } from "node:child_process";
import { once } from "node:events";

/** How long an app may take to serve, and to stop, in milliseconds: a busy machine may take long. */
const patienceMs = 30_000;

/** Starts the app by a runtime's command. */
export async function startProcess([program = "", ...args]: string[], store: string, env: Record<string, string>) {
  const child = spawn(program, [...args, new URL("serve.js", import.meta.url).pathname, store], {
    env: { ...process.env, ...env },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      output += chunk;
    });
  }
  const exited = once(child, "exit");
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);

  async function soon<T>(what: string, promise: Promise<T>): Promise<T> {
    const late = once(AbortSignal.timeout(patienceMs), "abort").then(() => {
      throw new Error(`${what} takes more than ${patienceMs / 1000} s:\n${output}`);
    });
    return Promise.race([promise, late]);
  }

  async function address(): Promise<string> {
    for (;;) {
      const [url] = /^http:\S+(?=\n)/m.exec(output) ?? [];
      if (url !== undefined) return url;
      if (child.exitCode !== null) throw new Error(`The app ended before it served:\n${output}`);
      await Promise.race([once(child.stdout, "data"), exited]);
    }
  }

  return {
    url: await soon("The start", address()),
    /** Sends SIGTERM. Throws unless the process then ends by itself, well, and having closed its sessions. */
    async stop(): Promise<void> {
      child.kill("SIGTERM");
      await soon("The end of the process", exited);
      if (child.exitCode !== 0 || !output.includes("closed")) throw new Error(`The app did not end well:\n${output}`);
    },
    kill() {
      kill();
      process.off("exit", kill);
    },
  };
}
