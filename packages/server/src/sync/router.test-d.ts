import { counter, defineSession, merge, type Session, value } from "@catnap/shared";
import { createTRPCClient, httpLink, TRPCClientError } from "@trpc/client";
import { initTRPC } from "@trpc/server";
import type { CreateHTTPContextOptions } from "@trpc/server/adapters/standalone";
import superjson from "superjson";
import { expectTypeOf } from "vitest";
import { z } from "zod";
import { createSessions } from "../index.ts";
import { memoryStore } from "../stores/memory/memory-store.ts";

const shop = defineSession({
  shared: {
    theme: z.enum(["light", "dark"]).default("light"),
    cart: value(z.array(z.object({ sku: z.string(), count: z.number() })).default([]), { merge: merge.byId("sku") }),
    visits: counter(),
    seen: z.date(),
  },
  readonly: { user: z.object({ id: z.string() }) },
  secret: { csrfSeed: z.string() },
});

const sessions = createSessions({ definition: shop, store: memoryStore() });
const createContext = (opts: CreateHTTPContextOptions) => ({ user: "somebody", session: sessions.wake(opts) });
const t = initTRPC.context<typeof createContext>().create({
  transformer: superjson,
  errorFormatter: ({ shape, error }) => ({
    ...shape,
    data: { ...shape.data, ...sessions.errorData(error), mine: 1 },
  }),
});
const procedure = t.procedure.use(sessions.middleware);

const appRouter = t.router({
  session: sessions.router({ procedure }),
  checkout: procedure.mutation(({ ctx }) => {
    expectTypeOf(ctx.user).toEqualTypeOf<string>();
    expectTypeOf(ctx.session).toEqualTypeOf<Session<typeof shop>>();
    expectTypeOf(ctx.session.value("theme")).toEqualTypeOf<"light" | "dark">();
    expectTypeOf(ctx.session.value("csrfSeed")).toEqualTypeOf<string>();
    expectTypeOf(ctx.session.value("user", null)).toEqualTypeOf<{ id: string } | null>();
    // @ts-expect-error a wrong value
    ctx.session.setValue("theme", "blue");
    // @ts-expect-error an unknown name
    ctx.session.value("thema");
    return ctx.session.value("cart");
  }),
});

const client = createTRPCClient<typeof appRouter>({ links: [httpLink({ url: "", transformer: superjson })] });
expectTypeOf(client.session.setValue.mutate).parameter(0).toExtend<{ key: string }>();
void client.session.setValue.mutate({ key: "theme", value: "dark" });
void client.session.setValue.mutate({ key: "seen", value: new Date() });
// @ts-expect-error the value of another key
void client.session.setValue.mutate({ key: "theme", value: 1 });
// @ts-expect-error the server alone writes it
void client.session.setValue.mutate({ key: "user", value: { id: "1" } });
// @ts-expect-error it never leaves the server
void client.session.value.query({ key: "csrfSeed" });
expectTypeOf(await client.session.values.query()).toEqualTypeOf<{
  readonly theme?: "light" | "dark";
  readonly cart?: { sku: string; count: number }[];
  readonly visits?: number;
  readonly seen?: Date;
  readonly user?: { id: string };
}>();
const failure: unknown = null;
if (failure instanceof TRPCClientError) expectTypeOf(failure).not.toBeNever();

// The app's own procedure without the middleware is refused where the router is made.
// @ts-expect-error its context holds no Session
sessions.router({ procedure: t.procedure });

// The middleware is refused where the context has no session of this definition; the text is among scripts/consumer/errors.
// @ts-expect-error a context without a session
initTRPC.context<{ user: string }>().create().procedure.use(sessions.middleware);
// @ts-expect-error a context of nothing
initTRPC.create().procedure.use(sessions.middleware);
// @ts-expect-error another library's session
initTRPC.context<{ session: { other: true } }>().create().procedure.use(sessions.middleware);
const forum = createSessions({ definition: defineSession({ shared: { draft: z.string() } }), store: memoryStore() });
const ofForum = initTRPC.context<{ session: ReturnType<typeof forum.wake> }>().create();
// @ts-expect-error another definition's session
ofForum.procedure.use(sessions.middleware);
// @ts-expect-error requireFresh comes after the middleware
t.procedure.use(sessions.requireFresh(300));
procedure.use(sessions.requireFresh(300)).mutation(({ ctx }) => {
  expectTypeOf(ctx.session).toEqualTypeOf<Session<typeof shop>>();
});

// Another context key, another context.
const named = createSessions({ definition: shop, store: memoryStore(), contextKey: "sess" });
const t2 = initTRPC.context<{ sess: ReturnType<typeof named.wake>; session: { other: true } }>().create();
const procedure2 = t2.procedure.use(named.middleware);
procedure2.query(({ ctx }) => {
  expectTypeOf(ctx.sess.value("visits")).toEqualTypeOf<number>();
  expectTypeOf(ctx.session).toEqualTypeOf<{ other: true }>();
});
named.router({ procedure: procedure2 });
