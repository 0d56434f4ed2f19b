"use client";

import type { SessionSnapshot } from "catnap";
import { SessionProvider } from "catnap/react";
import type { ReactNode } from "react";
import { session } from "./session-client";

export const Provider = ({ snapshot, children }: { snapshot: SessionSnapshot; children: ReactNode }) => (
  <SessionProvider client={session} initialSnapshot={snapshot}>
    {children}
  </SessionProvider>
);
