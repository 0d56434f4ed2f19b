import type { SessionStore } from "@catnap/server";
import { SessionError } from "@catnap/shared";

/** `INVALID_OPTION` with the rule and the remedy. */
export function invalid(message: string): SessionError {
  return new SessionError("INVALID_OPTION", message);
}

/** Throws `INVALID_OPTION` unless the number is finite. */
export function assertFinite(what: string, value: unknown, unit: string): void {
  if (!Number.isFinite(value)) throw invalid(`${what} is no finite number: give ${unit}`);
}

/** Throws `INVALID_OPTION` for what has not the methods of a store. */
export function assertStore(what: string, store: unknown): void {
  const methods = (store ?? {}) as Partial<SessionStore>;
  if (typeof methods.read === "function" && typeof methods.write === "function") return;
  throw invalid(`${what} is no SessionStore: give one, such as memoryStore()`);
}
