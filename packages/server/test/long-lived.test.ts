import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { createTRPCClient, createWSClient, httpSubscriptionLink, type TRPCClientError, wsLink } from "@trpc/client";
import { initTRPC } from "@trpc/server";
import { createHTTPServer } from "@trpc/server/adapters/standalone";
import { applyWSSHandler } from "@trpc/server/adapters/ws";
import { observable } from "@trpc/server/observable";
import { EventSource } from "eventsource";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { faultStore } from "../../testing/src/fault-store.ts";
import { createSessions, type WakeSource } from "../src/index.ts";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import { shop } from "./app.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** An app with procedures and subscriptions of its own, over HTTP and WebSocket. */
async function start(options: Partial<Parameters<typeof createSessions<typeof shop>>[0]> = {}) {
  const store = memoryStore();
  const reports: string[] = [];
  const sessions = createSessions({
    definition: shop,
    store,
    cookie: { name: "sid" },
    sweepInterval: 0,
    report: (event) => void reports.push(event.kind),
    ...options,
  });
  const createContext = (opts: WakeSource) => ({ session: sessions.wake(opts) });
  const t = initTRPC.context<typeof createContext>().create({
    errorFormatter: ({ shape, error }) => ({ ...shape, data: { ...shape.data, ...sessions.errorData(error) } }),
  });
  const procedure = t.procedure.use(sessions.middleware);
  const router = t.router({
    subject: procedure.query(({ ctx }) => ctx.session.subject()),
    note: procedure.query(({ ctx }) => ctx.session.value("note", null)),
    write: procedure.mutation(({ ctx }) => ctx.session.setValue("note", "written")),
    login: procedure.mutation(({ ctx }) => ctx.session.login("ann")),
    logout: procedure.mutation(({ ctx }) => ctx.session.invalidate()),
    /** Never ends by itself, and says the note whenever it is asked for. */
    notes: procedure.subscription(async function* ({ ctx, signal }) {
      while (!signal?.aborted) {
        yield ctx.session.value("note", null);
        await pause(20);
      }
    }),
    silent: procedure.subscription(async function* () {
      yield "begun";
      await new Promise(() => undefined);
    }),
    /** Writes as it ends, after a look at something else. */
    leaving: procedure.subscription(async function* ({ ctx }) {
      try {
        for (;;) {
          yield "begun";
          await pause(20);
        }
      } finally {
        await pause(20);
        ctx.session.setValue("note", "left");
      }
    }),
    observed: procedure.subscription(() => observable<string>((emit) => emit.next("begun"))),
  });
  const server = createHTTPServer({ router, createContext }).listen(0, "127.0.0.1");
  const wss = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  const handler = applyWSSHandler({ wss, router, createContext });
  await Promise.all([once(server, "listening"), wss.address() ?? once(wss, "listening")]);
  const portOf = (address: unknown) => (address as { port: number }).port;
  cleanups.push(
    () => sessions.close(),
    () => server.close(),
    () => wss.close(),
    () => handler.broadcastReconnectNotification(),
  );
  /** A browser that is logged in; `cookie` is what it would send now. */
  const visitor = async () => {
    const jar = { cookie: "" };
    const visit = async (work: Parameters<typeof sessions.run>[1]) => {
      const request = new Request("https://shop.test/", { headers: { cookie: jar.cookie } });
      const response = await sessions.run(request, work);
      for (const cookie of response.headers.getSetCookie()) jar.cookie = cookie.split(";")[0] ?? "";
    };
    await visit((session) => {
      session.login("ann");
      session.setValue("note", "first");
      return new Response();
    });
    return { jar, visit };
  };
  /** tRPC's client over a WebSocket that is opened with the jar's cookie of that moment. */
  const socket = (jar: { cookie: string }) => {
    class WithCookie extends WebSocket {
      constructor(url: string | URL) {
        super(url, { headers: { cookie: jar.cookie } });
      }
    }
    const client = createWSClient({
      url: `ws://127.0.0.1:${portOf(wss.address())}`,
      WebSocket: WithCookie as never,
      retryDelayMs: () => 10,
    });
    cleanups.push(() => client.close());
    return { api: createTRPCClient<typeof router>({ links: [wsLink({ client })] }) };
  };
  const sse = (jar: { cookie: string }) => {
    class WithCookie extends EventSource {
      constructor(url: string | URL) {
        const fetcher = (input: string | URL, init: object) =>
          fetch(input, { ...init, headers: { accept: "text/event-stream", cookie: jar.cookie } });
        super(url, { fetch: fetcher as never });
      }
    }
    const url = `http://127.0.0.1:${portOf(server.address())}`;
    return createTRPCClient<typeof router>({
      links: [httpSubscriptionLink({ url, EventSource: WithCookie as never })],
    });
  };
  return { sessions, reports, visitor, socket, sse };
}

type Api = Pick<ReturnType<Awaited<ReturnType<typeof start>>["sse"]>, "notes" | "silent" | "observed" | "leaving">;

/** What a subscription has told, and the code of the error that it ended with. */
function follow(api: Api, which: keyof Api) {
  const told = { data: [] as (string | null)[], code: undefined as string | undefined };
  const subscription = api[which].subscribe(undefined, {
    onData: (data) => void told.data.push(data as string | null),
    onError: (error: TRPCClientError<never>) => {
      told.code = (error.data as { session?: { code: string } } | undefined)?.session?.code ?? error.message;
    },
  });
  cleanups.push(() => subscription.unsubscribe());
  return Object.assign(told, { leave: () => subscription.unsubscribe() });
}

const identifierOf = ({ cookie }: { cookie: string }) => cookie.split("=")[1]?.split(".")[0] ?? "";

describe("over a WebSocket", () => {
  test("each call reads the session anew: who logs out or is revoked elsewhere is out on the socket, too", async () => {
    const { sessions, visitor, socket } = await start();
    const { jar, visit } = await visitor();
    const { api } = socket(jar);
    expect(await api.subject.query()).toBe("ann");
    await visit((session) => {
      session.setValue("note", "second");
      return new Response();
    });
    expect(await api.note.query()).toBe("second");
    await sessions.revoke(identifierOf(jar));
    expect(await api.subject.query()).toBeNull();
  });

  test("a call writes to the session, and what needs a cookie throws HEADERS_SENT", async () => {
    const { visitor, socket } = await start();
    const { jar } = await visitor();
    const { api } = socket(jar);
    await api.write.mutate();
    expect(await api.note.query()).toBe("written");
    for (const name of ["login", "logout"] as const) {
      await expect(api[name].mutate()).rejects.toMatchObject({ data: { session: { code: "HEADERS_SENT" } } });
    }
    const stranger = socket({ cookie: "" });
    await expect(stranger.api.write.mutate()).rejects.toMatchObject({ data: { session: { code: "HEADERS_SENT" } } });
  });

  test("a token that was rotated meanwhile is no theft: the server ends the connection, and the next one has the new token", async () => {
    const { visitor, socket, reports } = await start({ grace: 0, onReuse: "invalidate" });
    const { jar, visit } = await visitor();
    const { api } = socket(jar);
    expect(await api.subject.query()).toBe("ann");
    await visit((session) => {
      session.rotate();
      return new Response();
    });
    await expect(api.subject.query()).rejects.toBeDefined();
    await expect.poll(() => api.subject.query().catch(() => "not yet"), { timeout: 5_000 }).toBe("ann");
    expect(reports).toEqual([]);
  });
});

describe.each(["socket", "sse"] as const)("a subscription of the application's own, over %s", (way) => {
  test("reads the session as it is, and ends with SESSION_GONE soon after it was revoked", async () => {
    const { sessions, visitor, socket, sse } = await start();
    const { jar, visit } = await visitor();
    const api = way === "socket" ? socket(jar).api : sse(jar);
    const [notes, silent, observed] = [follow(api, "notes"), follow(api, "silent"), follow(api, "observed")];
    await expect.poll(() => notes.data.at(-1)).toBe("first");
    await visit((session) => {
      session.setValue("note", "second");
      return new Response();
    });
    await expect.poll(() => notes.data.at(-1)).toBe("second");
    await expect.poll(() => [silent.data, observed.data]).toEqual([["begun"], ["begun"]]);
    await sessions.revoke(identifierOf(jar));
    const codes = () => [notes.code, silent.code, observed.code];
    await expect.poll(codes, { timeout: 3_000 }).toEqual(["SESSION_GONE", "SESSION_GONE", "SESSION_GONE"]);
  });
});

test.each(["socket", "sse"] as const)(
  "what a subscription writes as its reader leaves is committed, over %s",
  async (way) => {
    const { visitor, socket, sse, sessions } = await start();
    const { jar } = await visitor();
    const leaving = follow(way === "socket" ? socket(jar).api : sse(jar), "leaving");
    await expect.poll(() => leaving.data.length).toBeGreaterThan(0);
    leaving.leave();
    const note = () => sessions.wake({ headers: { cookie: jar.cookie } }).read((session) => session.value("note"));
    await expect.poll(note).toBe("left");
  },
);

test("a subscription goes on while the store cannot be reached, and ends when it can and the session has ended", async () => {
  const outage = { is: false };
  const { watch: _, ...inner } = memoryStore();
  const store = faultStore(inner, ({ method }) =>
    outage.is && method === "read" ? { kind: "fail-before" } : undefined,
  );
  const { sessions, visitor, socket } = await start({ store });
  const { jar } = await visitor();
  const silent = follow(socket(jar).api, "silent");
  await expect.poll(() => silent.data).toEqual(["begun"]);
  outage.is = true;
  await pause(6_000);
  expect(silent.code).toBeUndefined();
  outage.is = false;
  await sessions.revoke(identifierOf(jar));
  await expect.poll(() => silent.code, { timeout: 8_000 }).toBe("SESSION_GONE");
});

test("a subscription over a store that tells nothing ends within seconds, too", async () => {
  const { watch: _, ...store } = memoryStore();
  const { sessions, visitor, socket } = await start({ store });
  const { jar } = await visitor();
  const silent = follow(socket(jar).api, "silent");
  await expect.poll(() => silent.data).toEqual(["begun"]);
  await sessions.revoke(identifierOf(jar));
  await expect.poll(() => silent.code, { timeout: 8_000 }).toBe("SESSION_GONE");
});
