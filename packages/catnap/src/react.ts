"use client"; // A server component may render what these export, and hears so when it calls one of the hooks.

export type { ClientSession, Status } from "@catnap/client";
export {
  createSessionHooks,
  type Register,
  type Registered,
  type SessionBindings,
  SessionProvider,
  type SessionProviderProps,
  type SessionValue,
  useSession,
  useSessionStatus,
  useSessionValue,
} from "@catnap/react";
export type { AnyDefinition } from "@catnap/shared";
