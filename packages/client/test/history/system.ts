import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSessions, type SessionStore } from "@catnap/server";
import { counter, defineSession, merge, value } from "@catnap/shared";
import { createTRPCClient, httpBatchLink } from "@trpc/client";
import { initTRPC } from "@trpc/server";
import { createHTTPHandler } from "@trpc/server/adapters/standalone";
import { z } from "zod";
import { sqliteStore } from "../../../server/src/stores/sqlite/sqlite-store.ts";
import { type ClientSession, createSessionClient } from "../../src/index.ts";
import { SimulatedDisk } from "../model/disk.ts";
import { storageOn } from "../world.ts";
import type { Random } from "./random.ts";

const set = () => value(z.array(z.string()).default([]), { merge: merge.union });

const definition = defineSession({
  shared: { r0: z.string(), r1: z.string(), r2: z.string(), c0: counter(), c1: counter(), s0: set(), s1: set() },
});
export type Register = "r0" | "r1" | "r2";
export type Counter = "c0" | "c1";
export type Elements = "s0" | "s1";

export type Tab = { readonly session: ClientSession<typeof definition>; kill(): void };

/** A server on a port, over a SQLite file; it can be torn down in the middle of whatever it does, and started again. */
export class System {
  /** How often a request or its answer was lost, came twice, late or cut off, and how often the server was torn down. */
  readonly faults = { lost: 0, unanswered: 0, doubled: 0, delayed: 0, truncated: 0, restarts: 0 };
  readonly requests = { count: 0 };
  healed = false;
  cookie = "";
  readonly #random: Random;
  readonly #folder = mkdtempSync(join(tmpdir(), "catnap-history-"));
  #running: { readonly server: Server; readonly store: SessionStore } | undefined;
  #port = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  async start(): Promise<void> {
    const store = sqliteStore(join(this.#folder, "sessions.db"));
    const server = createServer(createHandler(store));
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#running = { server, store };
  }

  /** Cuts every connection at once. Commits that are under way end on the file, or do not. */
  async restart(): Promise<void> {
    this.faults.restarts++;
    await this.#stop();
    await this.start();
  }

  async close(): Promise<void> {
    await this.#stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #stop(): Promise<void> {
    const { server, store } = this.#running ?? {};
    this.#running = undefined;
    server?.closeAllConnections();
    await new Promise((resolve) => server?.close(resolve));
    await store?.close();
  }

  /** Another caller of the app's procedures, such as its own back end; what fails may have taken effect, once. */
  caller() {
    return this.#trpc(false);
  }

  /** A browser with a disk of its own; the session is everybody's. */
  browser(): { tab(): Tab } {
    const disk = new SimulatedDisk((task) => void setImmediate(task));
    const marks = new Map<string, string>();
    const name = `history${Math.random()}`;
    return {
      tab: () => {
        let alive = true;
        const channels: BroadcastChannel[] = [];
        const session = createSessionClient({
          definition,
          http: {
            url: `http://127.0.0.1:${this.#port}`,
            fetch: (url, init) => this.#fetch(url, init, true),
          },
          idle: 3600,
          name,
          surroundings: {
            indexedDB: disk.factory(() => alive),
            localStorage: storageOn(() => marks),
            channel: (called) => {
              const channel = new BroadcastChannel(called);
              channels.push(channel);
              return channel;
            },
            page: undefined,
          },
        });
        const kill = () => {
          alive = false;
          for (const channel of channels) channel.close();
          session.close();
        };
        return { session, kill };
      },
    };
  }

  /** `repeatable`: pushes may arrive twice, which a plain mutation is not made for. */
  #trpc(repeatable: boolean) {
    const url = `http://127.0.0.1:${this.#port}`;
    const send = (input: RequestInfo | URL | string, init?: RequestInit) =>
      this.#fetch(String(input), init, repeatable);
    return createTRPCClient<Router>({ links: [httpBatchLink({ url, fetch: send as never })] });
  }

  async #fetch(url: string, init: RequestInit = {}, repeatable: boolean): Promise<Response> {
    const random = this.#random;
    this.requests.count++;
    const headers = new Headers(init.headers);
    if (this.cookie) headers.set("cookie", this.cookie);
    const { signal: _, keepalive: __, ...rest } = init;
    const send = async () => {
      const response = await fetch(url, { ...rest, headers });
      const text = await response.text();
      const [cookie] = response.headers.getSetCookie();
      if (cookie) this.cookie = cookie.split(";")[0] ?? "";
      return new Response(text, { status: response.status, headers: { "content-type": "application/json" } });
    };
    const fate = this.healed ? 1 : random.next();
    if (fate < 0.05) {
      this.faults.lost++;
      throw new TypeError("Failed to fetch");
    }
    if (fate < 0.11) {
      await send();
      this.faults.unanswered++;
      throw new TypeError("Failed to fetch");
    }
    if (fate < 0.16 && repeatable) {
      this.faults.doubled++;
      const [answer] = await Promise.all([send(), send()]);
      return answer;
    }
    if (fate < 0.2) {
      this.faults.delayed++;
      await new Promise((resolve) => setTimeout(resolve, random.below(15)));
    }
    const response = await send();
    if (fate < 0.2 || fate > 0.24 || this.healed) return response;
    this.faults.truncated++;
    const text = await response.text();
    return new Response(text.slice(0, random.below(text.length)), response);
  }
}

type Router = ReturnType<typeof createRouter>;

function createRouter(sessions: ReturnType<typeof openSessions>) {
  const t = initTRPC.context<{ session: ReturnType<typeof sessions.wake> }>().create();
  const procedure = t.procedure.use(sessions.middleware);
  return t.router({
    session: sessions.router({ procedure }),
    increment: procedure
      .input(z.enum(["c0", "c1"]))
      .mutation(({ ctx, input }) => ctx.session.update(input, (count) => count + 1)),
    add: procedure
      .input(z.object({ key: z.enum(["s0", "s1"]), element: z.string() }))
      .mutation(({ ctx, input: { key, element } }) => void ctx.session.update(key, (all) => [...all, element])),
    write: procedure
      .input(z.object({ key: z.enum(["r0", "r1", "r2"]), value: z.string() }))
      .mutation(({ ctx, input }) => ctx.session.setValue(input.key, input.value)),
  });
}

function openSessions(store: SessionStore) {
  return createSessions({ definition, store, sweepInterval: 0, report: () => undefined });
}

function createHandler(store: SessionStore) {
  const sessions = openSessions(store);
  const router = createRouter(sessions);
  return createHTTPHandler({ router, createContext: (from) => ({ session: sessions.wake(from) }) });
}
