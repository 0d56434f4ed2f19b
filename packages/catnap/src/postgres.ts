export {
  type PostgresConnection,
  type PostgresPool,
  type PostgresQuery,
  type PostgresStore,
  type PostgresStoreOptions,
  postgresStore,
} from "@catnap/server/postgres";
