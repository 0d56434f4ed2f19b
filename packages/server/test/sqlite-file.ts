import { driver, type SqliteDatabase } from "../src/stores/sqlite/driver.ts";

/** Opens a file beside the store that is tested, with the same driver. */
export async function openFile(path: string): Promise<SqliteDatabase> {
  const Database = await driver(path);
  return new Database(path);
}
