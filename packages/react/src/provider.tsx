import type { ClientSession } from "@catnap/client";
import type { SessionSnapshot } from "@catnap/shared";
import { createContext, type ReactNode, useContext, useEffect, useState } from "react";
import type { Registered } from "./register.ts";

const SessionContext = createContext<ClientSession<Registered> | null>(null);

/** Hands the tab's session to the hooks below it, and awakes it when the page has been shown. */
export function SessionProvider({
  client,
  initialSnapshot,
  children,
}: {
  client: ClientSession<Registered>;
  /** The state that the server rendered with. Read at the first render only. */
  initialSnapshot?: SessionSnapshot;
  children?: ReactNode;
}): ReactNode {
  // Before the children render for the first time: their first output must be the server's.
  useState(() => initialSnapshot && client.hydrate(initialSnapshot));
  useEffect(() => {
    void client.awake();
  }, [client]);
  return <SessionContext.Provider value={client}>{children}</SessionContext.Provider>;
}

/** The session of the nearest `SessionProvider`. Throws without one. */
export function useSession(): ClientSession<Registered> {
  const session = useContext(SessionContext);
  if (session) return session;
  throw new Error("useSession needs a SessionProvider above it");
}
