import { getEntries, openBare, putRows } from "../bare.ts";
import type { Library } from "./library.ts";

/** IndexedDB without a library: a row for each value, all of which the page holds by name. */
export const indexedDb: Library = {
  async open() {
    const database = await openBare("libraries");
    const found = new Map(await getEntries(database));
    return {
      read: (name) => found.get(name),
      write(name, value) {
        found.set(name, value);
        return putRows(database, [[name, value]]);
      },
      writeAll(all) {
        for (const [name, value] of all) found.set(name, value);
        return putRows(database, all);
      },
    };
  },
};
