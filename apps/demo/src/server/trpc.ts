import { initTRPC } from "@trpc/server";
import type { FetchCreateContextFnOptions } from "@trpc/server/adapters/fetch";
import superjson from "superjson";
import { sessions } from "./sessions.ts";

export const createContext = (options: FetchCreateContextFnOptions) => ({ session: sessions.wake(options) });

const t = initTRPC.context<typeof createContext>().create({
  transformer: superjson,
  // A live stream that went silent is dead, whatever the network says.
  sse: { ping: { enabled: true, intervalMs: 10_000 }, client: { reconnectAfterInactivityMs: 30_000 } },
  errorFormatter: ({ shape, error }) => ({ ...shape, data: { ...shape.data, ...sessions.errorData(error) } }),
});

export const { router } = t;
export const procedure = t.procedure.use(sessions.middleware);
