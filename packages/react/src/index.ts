export { createSessionHooks, type SessionBindings, type SessionProviderProps, type SessionValue } from "./hooks.tsx";
export type { Register, Registered } from "./register.ts";
export { SessionProvider, useSession, useSessionStatus, useSessionValue } from "./registered.ts";
