import { invalid } from "./option-checks.ts";

// In every copy of this module: bundlers load one for each of their outputs.
const place = globalThis as { [key: symbol]: Map<string, unknown> | undefined };
const key = Symbol.for("catnap.once");

/**
 * One thing per process, by its name: `make` is called the first time, and never again for this name, also where a bundler or
 * a development server evaluates your module several times. For what holds connections, files or the sessions of
 * `memoryStore()`: `once("store", () => sqliteStore("app.db"))`. When `make` throws, the next call makes it anew.
 *
 * Throws `INVALID_OPTION` without a name or a function.
 */
export function once<T>(name: string, make: () => T): T {
  if (typeof name !== "string" || name === "" || typeof make !== "function")
    throw invalid('once takes a name and a function: once("store", () => sqliteStore("app.db"))');
  const things = place[key] ?? new Map<string, unknown>();
  place[key] = things;
  if (!things.has(name)) things.set(name, make());
  return things.get(name) as T; // whoever has given the name has made it
}
