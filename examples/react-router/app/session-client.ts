import { createTRPCClient, httpBatchLink } from "@trpc/client";
import { createSessionClient } from "catnap/client";
import type { AppRouter } from "./router.server";
import { shop } from "./session";

const { session: trpc } = createTRPCClient<AppRouter>({ links: [httpBatchLink({ url: "/trpc" })] });

export const session = createSessionClient({ definition: shop, trpc, url: "/trpc/session" });

declare module "catnap/react" {
  interface Register {
    definition: typeof shop; // types the hooks
  }
}
