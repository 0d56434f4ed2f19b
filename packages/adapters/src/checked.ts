import { SessionError } from "@catnap/shared";

/** Throws `INVALID_OPTION` where a door is made, and not with its first request, unless it was given sessions. */
export function assertSessions(door: string, sessions: { readonly wake: unknown } | undefined): void {
  if (typeof sessions?.wake === "function") return;
  throw new SessionError("INVALID_OPTION", `${door} wants what createSessions returns, as \`sessions\``);
}
