import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BrowserContext } from "@playwright/test";
import type { SessionStore } from "catnap/server";
import { sqliteStore } from "catnap/sqlite";
import { freePort } from "./free-port.ts";

/** Loaded into its process before anything else. */
const preloads = [import.meta.resolve("./canary.mjs"), import.meta.resolve("./sudden-death.mjs")];
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
    const paths = { CATNAP_DB: this.#file, CATNAP_LEAKS: this.#leaks, CATNAP_DEATH: this.#death };
    const child = spawn(process.execPath, [...preloads.flatMap((file) => ["--import", file]), main], {
      env: { ...process.env, PORT: String(this.#port), ...paths },
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

  /** The process kills itself at its next commit: `before` SQLite commits, or `after`, ere it can answer. Resolves when it is gone. */
  dieAtCommit(moment: "before" | "after"): Promise<unknown> {
    if (!this.#process) throw new Error("The demo does not run");
    writeFileSync(this.#death, moment);
    return once(this.#process, "exit");
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
    const sent = typeof from === "string" ? from : await this.cookie(from);
    // On plain HTTP the cookie's name has the port, which for a page behind `wire` is that of the wire.
    const cookie = sent.replace(/^(\w+)-\d+=/, `$1-${this.#port}=`);
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
  stored(identifier: string, key: string): Promise<string | null> {
    return this.#inStore(async (store) => (await store.read(identifier))?.entries.get(key)?.value ?? null);
  }

  /** Up to which of its changes the store says, of each page load of this session's browsers, that they are decided. */
  watermarks(identifier: string): Promise<Record<string, number>> {
    return this.#inStore(async (store) => {
      const entries = [...((await store.read(identifier))?.entries ?? [])];
      // Catnap's own entries: `w` has the watermarks of one browser.
      const marks = entries
        .filter(([name]) => name.startsWith("~sync:"))
        .map(([, { value }]) => JSON.parse(value ?? "{}"));
      return Object.assign({}, ...marks.map(({ w }) => w));
    });
  }

  /** Lets the session end when nobody has used it for so many seconds from now on. */
  async shorten(identifier: string, timeout: number): Promise<void> {
    const now = Date.now();
    const commit = { now, accessedAt: now, transactions: 0, timeoutMs: timeout * 1000 };
    // As `session.setTimeout` leaves it, so that the server's own setting does not take its place.
    const changes = new Map([["~timeout", { value: "1", writer: "server", seq: 0 }]]);
    await this.#inStore((store) => store.write(identifier, { ...commit, expect: new Map(), changes }));
  }

  /** Whether the session's time is over, by a clock that is a little late. */
  hasExpired(identifier: string): Promise<boolean> {
    return this.#inStore(async (store) => {
      const { items } = await store.find({ expiredAt: Date.now() - 100, limit: 100 });
      return items.some((item) => item.identifier === identifier);
    });
  }

  async #inStore<T>(use: (store: SessionStore) => Promise<T>): Promise<T> {
    const store = sqliteStore(this.#file);
    try {
      return await use(store);
    } finally {
      await store.close();
    }
  }

  get #leaks(): string {
    return join(this.#folder, "leaks.txt");
  }

  get #death(): string {
    return join(this.#folder, "death.txt");
  }

  get #file(): string {
    return join(this.#folder, "sessions.db");
  }
}
