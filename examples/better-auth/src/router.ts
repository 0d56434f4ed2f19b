import { initTRPC } from "@trpc/server";
import type { WakeSource } from "catnap/server";
import { sessions } from "./sessions";

export const createContext = (options: WakeSource) => ({ session: sessions.wake(options) });

const t = initTRPC.context<typeof createContext>().create();
const procedure = t.procedure.use(sessions.middleware);

export const appRouter = t.router({ session: sessions.router({ procedure }) });
export type AppRouter = typeof appRouter;
