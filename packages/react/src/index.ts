export { type SessionValue, useSessionStatus, useSessionValue } from "./hooks.ts";
export { SessionProvider, useSession } from "./provider.tsx";
export type { Register, Registered } from "./register.ts";
