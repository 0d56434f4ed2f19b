import { type PostgresPool, postgresStore } from "catnap/postgres";

export const create = (pool: PostgresPool) => postgresStore(pool);
