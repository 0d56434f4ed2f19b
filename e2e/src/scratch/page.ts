import { createTRPCClient, httpLink } from "@trpc/client";
import { createSessionClient } from "catnap/client";
import type { Router } from "./server.ts";
import { scratch } from "./session.ts";

const trpc = createTRPCClient<Router>({ links: [httpLink({ url: "/trpc" })] });

/** The page's session, for the scripts of tests. */
const session = createSessionClient({ definition: scratch, trpc: trpc.session, url: "/trpc/session" });
Object.assign(globalThis, { session });
void session.awake();
