import { development } from "./development.ts";

/** Written out where it is asked for: bundlers replace it in the text. */
declare const process: { env: { NODE_ENV?: string } };

/**
 * Freezes a value that is handed out, all the way down, in development only: code that changes it in place and forgets
 * `setValue` then throws at that line instead of losing the change at sleep. Maps, Sets and Dates have no frozen state.
 */
export const freezeInDevelopment: <V>(value: V) => V =
  development && process.env.NODE_ENV !== "production" ? deepFreeze : (value) => value;

function deepFreeze<V>(value: V): V {
  if (typeof value !== "object" || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return value;
  Object.freeze(value);
  for (const name of Object.keys(value)) deepFreeze((value as Record<string, unknown>)[name]);
  return value;
}
