import { createTRPCClient, httpBatchLink } from "@trpc/client";
import { createSessionClient, sessionLink } from "catnap/client";
import superjson from "superjson";
import type { AppRouter } from "../api/server.js";
import { forum, shop } from "../api/session.js";

const http = { url: "/trpc", transformer: superjson, headers: async () => ({ authorization: "none" }) };
export const trpc = createTRPCClient<AppRouter>({ links: [httpBatchLink(http)] });
export const session = createSessionClient({ definition: shop, http, live: true });
export const second = createSessionClient({ definition: forum, http, path: "forum", name: "forum" });

export const link = sessionLink<AppRouter>(session);
export const status = () => session.status();
export const everything = () => session.values();
export const entries = () => [...session];
export const devices = () => trpc.session.info.query();
export const { setValue, update, delValue, peek } = session;
