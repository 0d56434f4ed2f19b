import { createSessions, type SessionsOptions } from "@catnap/server";
import type { SessionSnapshot } from "@catnap/shared";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { EventSource } from "eventsource";
import { IDBFactory } from "fake-indexeddb";
import superjson from "superjson";
import { onTestFinished } from "vitest";
import { memoryStore } from "../../server/src/stores/memory/memory-store.ts";
import {
  type ClientSession,
  type Conflict,
  createSessionClient,
  type Expired,
  type SessionClientOptions,
} from "../src/index.ts";
import type { Epoch } from "../src/replica/rows.ts";
import { createRouter, k, type Shop, shop } from "./shop.ts";

export { k, type Shop, shop };

/** A page's two event targets, with shorthands for what browsers do to them. */
class FakePage {
  readonly window = new EventTarget();
  readonly document = Object.assign(new EventTarget(), { visibilityState: "visible" });

  hide(): void {
    this.document.visibilityState = "hidden";
    this.document.dispatchEvent(new Event("visibilitychange"));
  }

  leave(): void {
    this.window.dispatchEvent(new Event("pagehide"));
    this.hide();
  }

  fire(name: string): void {
    this.window.dispatchEvent(new Event(name));
  }
}

/** How a tab sends: what `through` of a tab may put something else in the place of. */
export type Send = (url: string, init: RequestInit) => Promise<Response>;

/** What happens to a request: it arrives or not, and its answer does or not. */
export type Fate = "ok" | "lost" | "answer lost";

export interface Tab {
  readonly session: ClientSession<Shop>;
  readonly page: FakePage;
  readonly conflicts: Conflict[];
  readonly expired: Expired[];
  /** The network, as this tab has it. */
  readonly fetch: typeof fetch;
  /** The process ends: nothing of this tab happens any more, and nothing was told. */
  kill(): void;
}

/** A real server behind tRPC's fetch adapter, in process, and browsers that reach it through a wire that tests cut. */
export function createWorld(options: Partial<SessionsOptions<Shop>> = {}) {
  const sessions = createSessions({
    definition: shop,
    store: memoryStore(),
    sweepInterval: 0,
    origins: ["https://shop.test"],
    cookie: { name: "sid" },
    ...options,
  });
  const router = createRouter(sessions);
  const world = {
    router,
    sessions,
    /** Every body that reached the wire, in order. */
    requests: [] as { path: string; body: string; keepalive: boolean }[],
    fate: (_path: string): Fate => "ok",
    /** The most pushes that were under way at once. */
    most: 0,
    /** Awaited before a request is handled. */
    gate: Promise.resolve(),
    /** Awaited before a request's answer is on its way, as it stood when the request was sent. */
    answers: Promise.resolve(),
    holdAnswers(): () => void {
      let release = () => {};
      world.answers = new Promise((resolve) => {
        release = resolve;
      });
      return release;
    },
    /** How many requests the server has answered. */
    handled: 0,
    /** Holds requests up until the function that it gives is called. */
    hold(): () => void {
      let release = () => {};
      world.gate = new Promise((resolve) => {
        release = resolve;
      });
      return release;
    },
    browser: () => createBrowser(),
    /** The live streams that are open: each function breaks its connection. */
    streams: new Set<() => void>(),
  };

  /** Lets a response's body through until it ends, the reader leaves, or a test breaks the connection. */
  function breakable(response: Response, left: AbortSignal | null | undefined): Response {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const broken = new AbortController();
    const cut = () => broken.abort(new TypeError("network error"));
    world.streams.add(cut);
    left?.addEventListener("abort", cut);
    const signal = broken.signal;
    void response.body
      ?.pipeTo(writable, { signal })
      .catch(() => undefined)
      .finally(() => world.streams.delete(cut));
    return new Response(readable, response);
  }

  function createBrowser() {
    const jar = { cookie: "" };
    const indexedDB = new IDBFactory();
    const marks = new Map<string, string>();
    const name = `db${Math.random()}`;
    const localStorage = storageOn(() => marks);
    const open = new Set<ClientSession<Shop>>();
    const locks = createLocks();

    const handle = async (input: RequestInfo | URL, init: RequestInit): Promise<Response> => {
      const url = new URL(String(input), "https://shop.test");
      const path = url.pathname.replace("/trpc/", "");
      world.requests.push({ path, body: String(init.body ?? ""), keepalive: init.keepalive === true });
      const fate = world.fate(path);
      const { answers } = world;
      await world.gate;
      if (fate === "lost") throw new TypeError("Failed to fetch");
      const headers = new Headers(init.headers);
      headers.set("origin", "https://shop.test");
      headers.set("host", "shop.test");
      if (jar.cookie) headers.set("cookie", jar.cookie);
      const response = await fetchRequestHandler({
        endpoint: "/trpc",
        req: new Request(url, {
          method: init.method ?? "GET",
          headers,
          body: init.body ?? null,
          signal: init.signal ?? null,
        }),
        router,
        createContext: (from) => ({ session: sessions.wake(from) }),
      });
      world.handled++;
      await answers;
      if (fate === "answer lost") throw new TypeError("Failed to fetch");
      for (const cookie of response.headers.getSetCookie())
        jar.cookie = cookie.split(";")[0]?.endsWith("=") ? "" : (cookie.split(";")[0] ?? "");
      return response.headers.get("content-type")?.startsWith("text/event-stream")
        ? breakable(response, init.signal)
        : response;
    };

    let pushing = 0;
    const send = async (input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> => {
      const isPush = String(input).includes("session.sync");
      if (isPush) world.most = Math.max(world.most, ++pushing);
      try {
        return await handle(input, init);
      } finally {
        if (isPush) pushing--;
      }
    };

    function tab({
      bare,
      blind,
      through,
      ...more
    }: Partial<SessionClientOptions<Shop>> & {
      bare?: boolean;
      blind?: boolean;
      through?: (send: Send) => Send;
    } = {}): Tab {
      const page = new FakePage();
      const conflicts: Conflict[] = [];
      const expired: Expired[] = [];
      let alive = true;
      let die = (): void => undefined;
      const ended = new Promise<void>((resolve) => {
        die = resolve;
      });
      const channels: BroadcastChannel[] = [];
      const fetcher: typeof fetch = async (input, init) => {
        if (!alive) return new Promise(() => undefined);
        const response = await send(input as URL, init);
        return alive ? response : new Promise(() => undefined);
      };
      class TabEventSource extends EventSource {
        constructor(address: string | URL) {
          super(address, { fetch: (input, init) => fetcher(input as URL, init as RequestInit) });
        }
      }
      const session = createSessionClient({
        definition: shop,
        http: {
          url: "https://shop.test/trpc",
          transformer: superjson,
          fetch: through?.(fetcher) ?? fetcher,
          ...(blind ? {} : { EventSource: TabEventSource }),
        },
        name,
        onConflict: (conflict) => conflicts.push(conflict),
        onExpired: (event) => expired.push(event),
        ...more,
        surroundings: {
          indexedDB,
          localStorage,
          random: () => 1,
          locks: locks(ended),
          channel: (called) => {
            const channel = new BroadcastChannel(called);
            channels.push(channel);
            return channel;
          },
          page: bare ? undefined : page,
          ...more.surroundings,
        },
      });
      open.add(session);
      return {
        session,
        page,
        conflicts,
        expired,
        fetch: fetcher,
        kill() {
          alive = false;
          die();
          for (const channel of channels) {
            channel.postMessage = () => undefined;
            channel.close();
          }
          open.delete(session);
          session.close();
        },
      };
    }

    onTestFinished(() => {
      for (const session of open) session.close();
    });

    return {
      tab,
      jar,
      marks,
      name,
      indexedDB,
      /** What its tabs have agreed on. */
      epoch: (): Epoch => JSON.parse(marks.get(`catnap:${name}`) || "{}"),
      /** One of its tabs has changed that, and died. */
      agree(change: Partial<Epoch>): void {
        marks.set(`catnap:${name}`, JSON.stringify({ ...this.epoch(), ...change }));
      },
      /** All rows on disk, by name. */
      async rows(): Promise<Map<string, unknown>> {
        const db = await new Promise<IDBDatabase>((resolve, reject) => {
          const request = indexedDB.open(`catnap:${name}`);
          request.onupgradeneeded = () => void request.result.createObjectStore("catnap");
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        });
        const store = db.transaction("catnap").objectStore("catnap");
        const [keys, rows] = await Promise.all([done(store.getAllKeys()), done(store.getAll())]);
        db.close();
        return new Map(keys.map((key, i) => [String(key), rows[i]]));
      },
      /** Puts rows on disk, beside every tab. */
      async put(rows: ReadonlyMap<string, unknown>): Promise<void> {
        const db = await done(indexedDB.open(`catnap:${name}`));
        const store = db.transaction("catnap", "readwrite").objectStore("catnap");
        await Promise.all([...rows].map(([key, row]) => done(store.put(row, key))));
        db.close();
      },
      /** The user clears what sites have stored, but for the cookies. */
      async clear(): Promise<void> {
        marks.clear();
        const db = await done(indexedDB.open(`catnap:${name}`));
        await done(db.transaction("catnap", "readwrite").objectStore("catnap").clear());
        db.close();
      },
      /** The session as the server holds it. */
      async server(): Promise<SessionSnapshot> {
        return sessions.wake(new Request("https://shop.test/", { headers: { cookie: jar.cookie } })).snapshot();
      },
    };
  }
  return world;
}

/** A localStorage that rests in a Map. */
export function storageOn(
  items: () => Map<string, string>,
): Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length"> {
  return {
    getItem: (name) => items().get(name) ?? null,
    setItem: (name, text) => void items().set(name, text),
    removeItem: (name) => void items().delete(name),
    key: (i) => [...items().keys()][i] ?? null,
    get length() {
      return items().size;
    },
  };
}

/** The browser's locks, as far as they are asked for: exclusive, in turn, given back when the holder's promise settles. */
/** A browser's locks, for each of its tabs: the end of a tab gives back what it has, and it waits no more. */
function createLocks(): (ended: Promise<unknown>) => Pick<LockManager, "request"> {
  const tails = new Map<string, Promise<unknown>>();
  return (ended) => {
    type Hold = () => Promise<unknown>;
    const request = async (name: string, ...[first, second]: [Hold] | [LockOptions, Hold]) => {
      const [{ signal }, hold] = typeof first === "function" ? [{} as LockOptions, first] : [first, second as Hold];
      let isOver = false;
      const end = ended.then(() => {
        isOver = true;
      });
      const before = tails.get(name) ?? Promise.resolve();
      const mine = before.then(() => (signal?.aborted || isOver ? undefined : Promise.race([hold(), end])));
      const over = mine.catch(() => undefined);
      tails.set(name, over);
      await mine;
    };
    return { request: request as LockManager["request"] };
  };
}

/** A world, of its own unless another is given, and a browser in it, which is closed when the test is over. */
export function open(world = createWorld()) {
  return { world, browser: world.browser() };
}

export type Browser = ReturnType<ReturnType<typeof createWorld>["browser"]>;

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Waits until `check` holds; a test that never gets there times out. */
export async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await check())) await new Promise((resolve) => setTimeout(resolve, 2));
}
