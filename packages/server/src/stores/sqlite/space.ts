import { all, type SqliteDatabase } from "./driver.ts";
import { isBusy } from "./errors.ts";

/** Pages that one step gives back: few, so that nobody waits for it. */
const pagesAtOnce = 100;

/** Pages that stay free for sessions to come, whatever the size of the file: a megabyte. */
const spare = 256;

/** Lets SQLite give pages back to the disk later. Only a file without any page can be told so; to others it says nothing. */
export function makeShrinkable(database: SqliteDatabase): void {
  if (numberOf(database, "page_count") === 0) database.exec("PRAGMA auto_vacuum = INCREMENTAL");
}

/**
 * Gives some of the pages back that ended sessions have left, and says whether there are more. A quarter of the file stays
 * free: pages that are given back today and taken again tomorrow are moved about for nothing.
 */
export function shrink(database: SqliteDatabase): boolean {
  const free = numberOf(database, "freelist_count");
  const keep = Math.max(spare, numberOf(database, "page_count") / 4);
  // Files that older versions have made cannot shrink.
  if (free <= keep || numberOf(database, "auto_vacuum") !== 2) return false;
  try {
    database.exec(`PRAGMA incremental_vacuum(${pagesAtOnce})`);
  } catch (error) {
    // The next sweep goes on with it.
    if (isBusy(error)) return false;
    throw error;
  }
  return free - pagesAtOnce > keep;
}

function numberOf(database: SqliteDatabase, pragma: "page_count" | "freelist_count" | "auto_vacuum"): number {
  return Number(all(database, `PRAGMA ${pragma}`)[0]?.[pragma]);
}
