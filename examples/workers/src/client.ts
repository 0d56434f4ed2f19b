import { createTRPCClient, httpBatchLink } from "@trpc/client";
import { createSessionClient, sessionLink } from "catnap/client";
import type { AppRouter } from "./router";
import { shop } from "./session";

const http = { url: "/trpc" };

export const session = createSessionClient({ definition: shop, http });

/** The app's own calls: a mutation sees what this tab has written, and what it changes shows when it has answered. */
export const trpc = createTRPCClient<AppRouter>({ links: [sessionLink(session), httpBatchLink(http)] });
