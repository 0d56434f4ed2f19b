import { createSessionHooks, type SessionBindings } from "./hooks.tsx";
import type { Registered } from "./register.ts";

const registered: SessionBindings<Registered> = createSessionHooks<Registered>();

/** Hands the tab's session to the hooks below it, and awakes it when the page has been shown. */
export const SessionProvider: SessionBindings<Registered>["SessionProvider"] = registered.SessionProvider;

/** The session of the nearest `SessionProvider`. Throws without one. */
export const useSession: SessionBindings<Registered>["useSession"] = registered.useSession;

/**
 * One value of the session and what sets it: a value, or a function of the current one. The component renders again
 * only when this value changes. Absent: the schema's default, else `undefined`.
 */
export const useSessionValue: SessionBindings<Registered>["useSessionValue"] = registered.useSessionValue;

/** Whether changes wait, and for what. On the server and while hydrating: asleep. */
export const useSessionStatus: SessionBindings<Registered>["useSessionStatus"] = registered.useSessionStatus;
