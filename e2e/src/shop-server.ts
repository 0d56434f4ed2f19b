import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BrowserContext } from "@playwright/test";
import { sqliteStore } from "catnap/sqlite";
import { freePort } from "./free-port.ts";

const canary = new URL("./canary.mjs", import.meta.url);
const main = fileURLToPath(new URL("../../apps/demo/dist/server/main.js", import.meta.url));

/** The built demo, in a process of its own with a port and a SQLite file of its own. */
export class ShopServer {
  readonly url: string;
  readonly #port: number;
  readonly #folder: string;
  #process: ChildProcess | undefined;

  private constructor(port: number, folder: string) {
    this.url = `http://127.0.0.1:${port}`;
    this.#port = port;
    this.#folder = folder;
  }

  /** With `folder`, over the `sessions.db` in there, which is the caller's to remove. */
  static async start(folder?: string): Promise<ShopServer> {
    // The demo has to know its port before it listens, to know its own origin.
    const server = new ShopServer(await freePort(), folder ?? (await mkdtemp(join(tmpdir(), "catnap-e2e-"))));
    await server.start();
    return server;
  }

  /** Starts the process on the same port and file, and waits until it serves. */
  async start(): Promise<void> {
    const env = { ...process.env, PORT: String(this.#port), CATNAP_DB: this.#file, CATNAP_LEAKS: this.#leaks };
    const child = spawn(process.execPath, ["--import", canary.href, main], {
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#process = child;
    // It prints its address once it listens.
    await Promise.race([
      once(child.stdout, "data"),
      once(child, "exit").then(([code]) => Promise.reject(new Error(`The demo ended with ${code} before it served`))),
    ]);
  }

  /** Ends the process: with SIGTERM it closes cleanly, with SIGKILL it gets no chance to. Gives the exit code. */
  async end(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<number | null> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const exit = once(child, "exit");
    child.kill(signal);
    await exit;
    return child.exitCode;
  }

  async restart(signal?: "SIGTERM" | "SIGKILL"): Promise<void> {
    await this.end(signal);
    await this.start();
  }

  async dispose(): Promise<void> {
    await this.end("SIGKILL");
    const leaks = await this.leaks();
    await rm(this.#folder, { recursive: true, force: true });
    if (leaks !== "") throw new Error(`Secrets have left the server: ${leaks}`);
  }

  /** What has left the process with a secret in it, as `canary.mjs` saw it; empty is well. */
  async leaks(): Promise<string> {
    return existsSync(this.#leaks) ? readFile(this.#leaks, "utf8") : "";
  }

  /** What the server holds for the browser with these cookies, asked from here, without any page. */
  async held(from: BrowserContext | string): Promise<Record<string, unknown>> {
    const cookie = typeof from === "string" ? from : await this.cookie(from);
    const response = await fetch(`${this.url}/trpc/session.values`, { headers: { cookie } });
    const { result } = (await response.json()) as { result: { data: { json: Record<string, unknown> } } };
    return result.data.json;
  }

  /** The `Cookie` header that the browser would send. */
  async cookie(context: BrowserContext): Promise<string> {
    const cookies = await context.cookies(this.url);
    return cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
  }

  /** One value as it rests in the store, encoded; it may be secret. */
  async stored(identifier: string, key: string): Promise<string | null> {
    const store = sqliteStore(this.#file);
    try {
      return (await store.read(identifier))?.entries.get(key)?.value ?? null;
    } finally {
      await store.close();
    }
  }

  get #leaks(): string {
    return join(this.#folder, "leaks.txt");
  }

  get #file(): string {
    return join(this.#folder, "sessions.db");
  }
}
