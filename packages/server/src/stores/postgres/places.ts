import type { PostgresPool } from "./pool.ts";

/** Who keeps a connection, by pool. */
const keepers = new WeakMap<PostgresPool, Set<object>>();

/**
 * Takes one of the pool's connections for a keeper, until `givePlaceBack`, and says whether there was one to take. At least
 * `others` of them are left for calls, however many stores share the pool.
 */
export function takePlace(pool: PostgresPool, keeper: object, others: number): boolean {
  const taken = keepers.get(pool) ?? new Set();
  if (taken.has(keeper)) return true;
  const max = pool.options?.max ?? Number.POSITIVE_INFINITY;
  if (taken.size + 1 + others > max) return false;
  keepers.set(pool, taken.add(keeper));
  return true;
}

export function givePlaceBack(pool: PostgresPool, keeper: object): void {
  keepers.get(pool)?.delete(keeper);
}
