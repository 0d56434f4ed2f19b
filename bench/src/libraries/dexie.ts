import { Dexie, liveQuery, type Table } from "dexie";
import type { Library } from "./library.ts";

interface Row {
  readonly name: string;
  readonly value: string;
}

/** Dexie with a row for each value, all of which the page holds by name. */
export const dexie: Library = {
  async open() {
    const database = new Dexie("dexie");
    database.version(1).stores({ rows: "name" });
    const rows: Table<Row, string> = database.table("rows");
    const found = new Map((await rows.toArray()).map(({ name, value }) => [name, value]));
    return {
      read: (name) => found.get(name),
      write: (name, value) => rows.put({ name, value }),
      writeAll: (all) => rows.bulkPut(all.map(([name, value]) => ({ name, value }))),
      subscribe: (name, told) => void liveQuery(() => rows.get(name)).subscribe(told),
      joins: true,
    };
  },
};
