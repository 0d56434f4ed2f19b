"use client";

import { createTRPCClient, httpBatchLink } from "@trpc/client";
import type { SessionSnapshot } from "catnap";
import { createSessionClient } from "catnap/client";
import { SessionProvider } from "catnap/react";
import { type ReactNode, useState } from "react";
import type { AppRouter } from "../router";
import { shop } from "../session";

declare module "catnap/react" {
  interface Register {
    definition: typeof shop; // types the hooks
  }
}

const { session: trpc } = createTRPCClient<AppRouter>({ links: [httpBatchLink({ url: "/api/trpc" })] });
const create = () => createSessionClient({ definition: shop, trpc, url: "/api/trpc/session" });
const tab = typeof document === "undefined" ? undefined : create();

export function Provider({ snapshot, children }: { snapshot: SessionSnapshot; children: ReactNode }) {
  const [session] = useState(() => tab ?? create()); // on the server each render has its own, or visitors would share one
  return (
    <SessionProvider client={session} initialSnapshot={snapshot}>
      {children}
    </SessionProvider>
  );
}
