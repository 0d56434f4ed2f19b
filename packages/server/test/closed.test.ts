import type { Session } from "@catnap/shared";
import { createTRPCClient, httpBatchStreamLink } from "@trpc/client";
import { initTRPC } from "@trpc/server";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import superjson from "superjson";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { createSessions, type WakeSource } from "../src/index.ts";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import { type Shop, shop } from "./app.ts";
import { codeOf, start } from "./plain.ts";

// After its transaction a session is closed: what is written to it would go nowhere.

type Open = Session<Shop>;
const writes: Record<string, (session: Open) => unknown> = {
  setValue: (session) => session.setValue("note", "late"),
  delValue: (session) => session.delValue("note"),
  update: (session) => session.update("visits", (n) => n + 1),
  flash: (session) => session.flash("note"),
  setDirty: (session) => session.setDirty(),
  setTimeout: (session) => session.setTimeout(60),
  invalidate: (session) => session.invalidate(),
  save: (session) => session.save(),
  rotate: (session) => session.rotate(),
  login: (session) => session.login("ann"),
};

describe("after its transaction", () => {
  test.each(Object.entries(writes))("%s throws, and the session can still be read", async (_, write) => {
    const { visit } = start({ tickets: true }).visitor();
    const kept = await visit((session) => {
      session.setValue("note", "n");
      return session;
    });
    expect(await codeOf(() => write(kept))).toBe("SESSION_CLOSED");
    expect(kept.value("note")).toBe("n");
    expect(await visit((session) => session.values())).toEqual({ note: "n" });
  });

  test("a write of work that nobody awaited throws there, and so does one of a body that is still being sent", async () => {
    const { sessions, visitor } = start();
    const { visit, request } = visitor();
    let late: Promise<string> | undefined;
    await visit((session) => {
      late = new Promise((resolve) => setTimeout(resolve, 5)).then(() =>
        codeOf(() => session.setValue("note", "late")),
      );
    });
    expect(await late).toBe("SESSION_CLOSED");
    let code = "";
    let responded = false;
    const response = await sessions.run(request(), (session) => {
      const body = new ReadableStream<string>({
        async pull(controller) {
          if (!responded) return controller.enqueue("first"); // while the handler is still at it
          code = await codeOf(() => session.update("visits", (n) => n + 1));
          controller.close();
        },
      });
      return new Response(body.pipeThrough(new TextEncoderStream()));
    });
    responded = true;
    await response.text();
    expect(code).toBe("SESSION_CLOSED");
  });

  test("a handler that failed has a closed session, too", async () => {
    const { visit } = start().visitor();
    let kept: Open | undefined;
    await visit((session) => {
      kept = session;
      throw new Error("the handler's own");
    }).catch(() => undefined);
    expect(await codeOf(() => kept?.setValue("note", "late"))).toBe("SESSION_CLOSED");
  });

  test("of the expiring hook nothing can be written, since the session is about to go", async () => {
    const codes: string[] = [];
    const hooks = {
      expiring: async (session: Open) => void codes.push(await codeOf(() => session.setValue("note", "x"))),
    };
    const { visitor, sessions, clock } = start({ hooks });
    await visitor().visit((session) => session.setValue("note", "n"));
    clock.advance(4_000);
    expect(await sessions.sweep()).toBe(1);
    expect(codes).toEqual(["SESSION_CLOSED"]);
  });
});

describe("the transaction of a generator", () => {
  function app() {
    const store = memoryStore();
    const sessions = createSessions({ definition: shop, store, cookie: { name: "sid" }, sweepInterval: 0 });
    const t = initTRPC.context<{ session: ReturnType<typeof sessions.wake> }>().create({ transformer: superjson });
    const procedure = t.procedure.use(sessions.middleware as never) as typeof t.procedure;
    const sessionOf = (ctx: unknown) => (ctx as { session: Open }).session;
    const router = t.router({
      count: procedure
        .input(z.object({ to: z.number(), fails: z.boolean().optional(), saves: z.boolean().optional() }))
        .mutation(async function* ({ ctx, input }) {
          for (let i = 1; i <= input.to; i++) {
            sessionOf(ctx).update("visits", (n) => n + 1);
            if (input.saves) await sessionOf(ctx).save();
            if (input.to > 10) await new Promise((resolve) => setTimeout(resolve, 5));
            yield i;
          }
          if (input.fails) throw new Error("the generator's own");
        }),
      begin: procedure.input(z.object({})).mutation(({ ctx }) => sessionOf(ctx).setValue("note", "begun")),
      nested: procedure.input(z.object({})).mutation(({ ctx }) => ({
        later: (async () => {
          await new Promise((resolve) => setTimeout(resolve, 5));
          return codeOf(() => sessionOf(ctx).setValue("note", "late"));
        })(),
      })),
    });
    let cookie = "";
    const fetch = async (input: unknown, init: unknown) => {
      const request = new Request(input as string, init as RequestInit);
      if (cookie) request.headers.set("cookie", cookie);
      const createContext = (opts: WakeSource) => ({ session: sessions.wake(opts) });
      const response = await fetchRequestHandler({ endpoint: "/trpc", req: request, router, createContext });
      const [set] = response.headers.getSetCookie();
      if (set) cookie = set.split(";")[0] ?? "";
      return response;
    };
    const link = httpBatchStreamLink({ url: "http://shop.test/trpc", transformer: superjson, fetch });
    const visits = async () => {
      const headers = new Headers({ cookie });
      return (await sessions.wake(new Request("http://shop.test/", { headers })).snapshot()).entries.visits?.value;
    };
    return { api: createTRPCClient<typeof router>({ links: [link] }), visits, fetch };
  }

  test("lasts until it ends: what it wrote is committed then", async () => {
    const { api, visits } = app();
    await api.begin.mutate({});
    const yielded: number[] = [];
    for await (const i of await api.count.mutate({ to: 3 })) yielded.push(i);
    expect(yielded).toEqual([1, 2, 3]);
    await expect.poll(visits).toBe("3");
  });

  test("commits at once what it saves, and drops the rest when it throws", async () => {
    const { api, visits } = app();
    await api.begin.mutate({});
    const drain = async (input: Parameters<typeof api.count.mutate>[0]) => {
      for await (const _ of await api.count.mutate(input)) {
        // only to the end
      }
    };
    await expect(drain({ to: 2, fails: true })).rejects.toThrow("the generator's own");
    expect(await visits()).toBeUndefined();
    await expect(drain({ to: 2, fails: true, saves: true })).rejects.toThrow("the generator's own");
    expect(await visits()).toBe("2");
  });

  test("keeps what was written when its reader leaves early", async () => {
    const { api, visits, fetch } = app();
    await api.begin.mutate({});
    const headers = { "content-type": "application/json", "trpc-accept": "application/jsonl" };
    const body = JSON.stringify({ 0: { json: { to: 400 } } });
    const response = await fetch("http://shop.test/trpc/count?batch=1", { method: "POST", headers, body });
    const reader = response.body?.getReader();
    for (let i = 0; i < 4; i++) await reader?.read();
    await reader?.cancel();
    await expect.poll(async () => Number((await visits()) ?? 0), { timeout: 1_500 }).toBeGreaterThan(0);
    expect(Number(await visits())).toBeLessThan(400);
  });

  test("is no promise's: what a nested promise writes later throws there", async () => {
    const { api } = app();
    await api.begin.mutate({});
    const { later } = await api.nested.mutate({});
    expect(await later).toBe("SESSION_CLOSED");
  });
});
