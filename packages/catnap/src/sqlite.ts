export type { SessionStore } from "@catnap/server";
export {
  type DurableObjectSql,
  type SqliteDatabase,
  type SqliteStoreOptions,
  sqliteStore,
} from "@catnap/server/sqlite";
