import type { PostgresPool } from "./postgres-pool.ts";

/** Who keeps a connection of a pool for as long as it watches, by pool. */
const keepers = new WeakMap<PostgresPool, Set<object>>();

/**
 * Takes one of a pool's places for somebody who keeps it, and says whether there was one: of the places that the pool says
 * it has, so many as `others` asks for stay free for calls, however many stores share the pool.
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
