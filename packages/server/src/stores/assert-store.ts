import { invalid, shown } from "../option-checks.ts";

const needed = ["read", "write", "touch", "delete", "find", "sweep", "close"] as const;
const optional = ["watch", "lease", "recall"] as const;
const remedy = "pass memoryStore(), sqliteStore(path) or another SessionStore";

/** Throws `INVALID_OPTION` for what is no `SessionStore`, with the method that it lacks: some are called only after hours. */
export function assertStore(store: unknown): void {
  if (typeof store !== "object" || store === null) throw invalid(`store is ${shown(store)}: ${remedy}`);
  // Nothing is known of it but that it is an object.
  const methods = store as Readonly<Record<string, unknown>>;
  for (const name of [...needed, ...optional.filter((name) => methods[name] !== undefined)]) {
    const method = methods[name];
    if (typeof method !== "function") throw invalid(`store.${name} is ${shown(method)}, not a function: ${remedy}`);
  }
}
