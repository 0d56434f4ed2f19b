import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { counter, defineSession, merge, value } from "@catnap/shared";
import { serve } from "@hono/node-server";
import {
  createTRPCClient,
  httpBatchLink,
  httpBatchStreamLink,
  httpLink,
  httpSubscriptionLink,
  splitLink,
  type TRPCLink,
} from "@trpc/client";
import { initTRPC } from "@trpc/server";
import { createExpressMiddleware } from "@trpc/server/adapters/express";
import { fastifyTRPCPlugin } from "@trpc/server/adapters/fastify";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { createHTTPServer } from "@trpc/server/adapters/standalone";
import { EventSource } from "eventsource";
import express from "express";
import fastify from "fastify";
import superjson from "superjson";
import { z } from "zod";
import { createSessions, type SessionsOptions, type WakeSource } from "../src/index.ts";
import { memoryStore } from "../src/stores/memory/memory-store.ts";

export const shop = defineSession({
  shared: {
    theme: z.enum(["light", "dark"]).default("light"),
    note: z.string(),
    cart: value(z.array(z.object({ sku: z.string(), count: z.number() })).default([]), { merge: merge.byId("sku") }),
    visits: counter(),
    clicks: counter(),
    seen: z.date(),
    /** What an app that trusts its schemas too much would declare. */
    anything: z.unknown(),
    tree: z.json(),
  },
  readonly: { user: z.object({ id: z.string(), name: z.string() }) },
  secret: { csrfSeed: z.string() },
});
export type Shop = typeof shop;

/** A promise and what settles it. */
export function gate() {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

/** An app of one's own around the kit: every promise of the server is tried through it, over real HTTP. */
export function createApp(options: Partial<SessionsOptions<Shop>> & { gates?: Record<string, Promise<void>> } = {}) {
  const { gates = {}, ...rest } = options;
  const sessions = createSessions({
    definition: shop,
    store: memoryStore(),
    cookie: { name: "sid" },
    sweepInterval: 0,
    ...rest,
  });
  const createContext = (opts: WakeSource) => ({ session: sessions.wake(opts) });
  const t = initTRPC.context<typeof createContext>().create({
    transformer: superjson,
    errorFormatter: ({ shape, error }) => ({ ...shape, data: { ...shape.data, ...sessions.errorData(error) } }),
  });
  const procedure = t.procedure.use(sessions.middleware);
  /** How often something ran that only a counter shows. */
  const ran = { transfers: 0 };
  const counting = t.router({ increment: procedure.mutation(({ ctx }) => ctx.session.update("visits", (n) => n + 1)) });
  const callCounting = t.createCallerFactory(counting);
  const router = t.router({
    session: sessions.router({ procedure }),
    ping: t.procedure.query(() => "pong"),
    theme: procedure.query(({ ctx }) => ctx.session.value("theme")),
    setThenThrow: procedure.mutation(({ ctx }) => {
      ctx.session.setValue("note", "must not stay");
      throw new Error("after the write");
    }),
    increment: procedure.mutation(({ ctx }) => ctx.session.update("visits", (n) => n + 1)),
    identify: procedure.mutation(({ ctx }) => ctx.session.identifier()),
    incrementAndSave: procedure.mutation(async ({ ctx }) => {
      ctx.session.update("visits", (n) => n + 1);
      await ctx.session.save();
      return ctx.session.value("visits");
    }),
    /** Writes before or after a gate, to hold a request open while others run. */
    slowNote: procedure.input(z.object({ note: z.string(), gate: z.string() })).mutation(async ({ ctx, input }) => {
      await gates[input.gate];
      ctx.session.setValue("note", input.note);
    }),
    slowRead: procedure.input(z.object({ gate: z.string() })).query(async ({ ctx, input }) => {
      await gates[input.gate];
      return ctx.session.value("note", null);
    }),
    login: procedure.input(z.object({ subject: z.string() })).mutation(({ ctx, input }) => {
      ctx.session.login(input.subject);
      ctx.session.setValue("user", { id: input.subject, name: input.subject });
      ctx.session.setValue("csrfSeed", "canary-secret");
    }),
    /** A login to a session of the subject's own, with the cart of the one at hand. */
    relogin: procedure.input(z.object({ subject: z.string() })).mutation(({ ctx, input }) => {
      ctx.session.login(input.subject, { replace: true, keep: ["cart"] });
      return ctx.session.identifier();
    }),
    /** Wants a login within the last five minutes. */
    pay: procedure
      .use(sessions.requireFresh(300))
      .input(z.object({}))
      .mutation(({ ctx }) => `paid by ${ctx.session.subject()}`),
    flash: procedure.input(z.object({})).mutation(({ ctx }) => ctx.session.flash("note")),
    logout: procedure.input(z.object({})).mutation(({ ctx }) => ctx.session.invalidate()),
    rotate: procedure.input(z.object({})).mutation(({ ctx }) => ctx.session.rotate()),
    shorten: procedure
      .input(z.object({ seconds: z.number() }))
      .mutation(({ ctx, input }) => ctx.session.setTimeout(input.seconds)),
    previous: procedure.query(({ ctx }) => ctx.session.previous()),
    facts: procedure.query(({ ctx }) => ({
      identifier: ctx.session.identifier(),
      isNew: ctx.session.isNew(),
      transactions: ctx.session.numTransactions(),
      subject: ctx.session.subject(),
    })),
    nested: procedure.mutation(async ({ ctx }) => {
      // Inside a procedure the context holds the Session, no longer what createContext made: that is the case at hand.
      const caller = callCounting(ctx as never);
      await caller.increment();
      await caller.increment();
      return ctx.session.value("visits");
    }),
    /** The app's own business, which changes nothing in the session. */
    transfer: procedure.mutation(() => void ran.transfers++),
    /** A query that writes, against all advice. */
    sneaky: procedure.query(({ ctx }) => ctx.session.setValue("note", "forged")),
    bareForm: procedure.mutation(({ ctx }) => {
      ctx.session.setValue("note", "forged");
    }),
  });
  return { ran, sessions, router, createContext, procedure, t };
}

export type App = ReturnType<typeof createApp>;
export type AppRouter = App["router"];

export interface Server {
  readonly url: string;
  close(): Promise<void>;
}

/** What an app may hand to its adapter besides. */
interface Mounting {
  responseMeta?(): { headers: Record<string, string> };
}

type AdapterName = "standalone" | "fetch" | "express" | "fastify";

/** The four adapters, each as an app would mount it. */
export const adapters: Record<AdapterName, (app: App, mounting?: Mounting) => Promise<Server>> = {
  async standalone({ router, createContext }, mounting) {
    const server = createHTTPServer({ router, createContext, basePath: "/trpc/", ...mounting });
    return listen(server.listen(0, "127.0.0.1"));
  },
  async fetch({ router, createContext }, mounting) {
    const handler = (req: Request) =>
      fetchRequestHandler({ endpoint: "/trpc", req, router, createContext, ...mounting });
    const server = serve({ fetch: handler, port: 0, hostname: "127.0.0.1" });
    return listen(server as ReturnType<typeof createServer>);
  },
  async express({ router, createContext }, mounting) {
    const app = express();
    app.use("/trpc", createExpressMiddleware({ router, createContext, ...mounting }));
    return listen(createServer(app).listen(0, "127.0.0.1"));
  },
  async fastify({ router, createContext }, mounting) {
    const app = fastify({
      bodyLimit: 10_000_000,
      forceCloseConnections: true,
      routerOptions: { maxParamLength: 5000 },
    });
    await app.register(fastifyTRPCPlugin, { prefix: "/trpc", trpcOptions: { router, createContext, ...mounting } });
    const url = await app.listen({ port: 0, host: "127.0.0.1" });
    return { url: `${url}/trpc`, close: () => app.close() };
  },
};

async function listen(server: ReturnType<typeof createServer>): Promise<Server> {
  if (!server.listening) await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${port}/trpc`, close };
}

/** A browser's worth of HTTP: keeps cookies, and shows every response that came. */
export function createBrowser(
  url: string,
  link: "single" | "batch" | "stream" = "single",
  headers: Record<string, string> = {},
) {
  const jar = new Map<string, string>();
  const seen: { status: number; setCookie: string[]; body: string }[] = [];
  const send = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const request = new Request(input, init);
    if (jar.size > 0) request.headers.set("cookie", [...jar].map(([name, content]) => `${name}=${content}`).join("; "));
    for (const [name, content] of Object.entries(headers)) request.headers.set(name, content);
    const response = await fetch(request);
    const setCookie = response.headers.getSetCookie();
    for (const cookie of setCookie) {
      const [pair = ""] = cookie.split(";");
      const at = pair.indexOf("=");
      if (/max-age=0/i.test(cookie)) jar.delete(pair.slice(0, at));
      else jar.set(pair.slice(0, at), pair.slice(at + 1));
    }
    const entry = { status: response.status, setCookie, body: "" };
    seen.push(entry);
    if (link !== "stream" && !response.headers.get("content-type")?.startsWith("text/event-stream"))
      entry.body = await response.clone().text();
    return response;
  };
  const options = {
    url,
    transformer: superjson,
    fetch: (input: unknown, init: unknown) => send(input as string, init as RequestInit),
  };
  const links: Record<typeof link, TRPCLink<AppRouter>> = {
    single: httpLink(options),
    batch: httpBatchLink(options),
    stream: httpBatchStreamLink(options),
  };
  /** Keeps cookies as the rest does, which a Node EventSource would not by itself. */
  class BrowserEventSource extends EventSource {
    constructor(address: string | URL) {
      super(address, { fetch: (input, init) => send(input, init as RequestInit) });
    }
  }
  const live = httpSubscriptionLink({ url, transformer: superjson, EventSource: BrowserEventSource });
  const split = splitLink<AppRouter>({
    condition: ({ type }) => type === "subscription",
    true: live,
    false: links[link],
  });
  return { jar, seen, send, api: createTRPCClient<AppRouter>({ links: [split] }) };
}
