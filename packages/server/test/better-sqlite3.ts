import type { SqliteDatabase } from "../src/stores/sqlite/driver.ts";
import { missing } from "./servers/process.ts";

/** Opens a database with better-sqlite3; `undefined`, after telling why, where it was not built. */
export async function openBetterSqlite3(path: string): Promise<SqliteDatabase | undefined> {
  try {
    // It has no types of its own.
    const { default: Database } = await import("better-sqlite3" as string);
    return new Database(path);
  } catch (error) {
    const remedy = "npm ci builds it, with a compiler and the headers of Node (npm_config_nodedir)";
    return missing("better-sqlite3", `${remedy}. ${error}`);
  }
}
