export { type SqliteDatabase, type SqliteStoreOptions, sqliteStore } from "@catnap/server/sqlite";
