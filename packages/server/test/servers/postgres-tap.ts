import type pg from "pg";
import type { PostgresConnection, PostgresPool, PostgresQuery } from "../../src/stores/postgres/pool.ts";

/** A pool of whose statements each goes through `tap`, which may do something before or after it. */
export function tapped(
  pool: pg.Pool,
  tap: (query: PostgresQuery, client: pg.PoolClient) => Promise<{ rows: unknown[] }>,
): PostgresPool {
  // One for each client, whose listeners it has.
  const connections = new WeakMap<pg.PoolClient, PostgresConnection>();
  return {
    async connect() {
      const client = await pool.connect();
      const known = connections.get(client) ?? {
        query: (query) => tap(query, client),
        // Overloads do not pass through one by one.
        on: client.on.bind(client) as PostgresConnection["on"],
        release: (destroy) => client.release(destroy),
      };
      connections.set(client, known);
      return known;
    },
    // Overloads, as above.
    on: pool.on.bind(pool) as PostgresPool["on"],
  };
}
