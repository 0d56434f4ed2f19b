import { createStore } from "tinybase";
import { createIndexedDbPersister } from "tinybase/persisters/persister-indexed-db";
import type { Library } from "./library.ts";

/**
 * A table of TinyBase, loaded and saved by its persister. Its keyed values would be a row on disk each, all of which are
 * written anew with each change; a table is one. The persister does not poll the disk for what other tabs write.
 */
export const tinybase: Library = {
  async open() {
    const store = createStore();
    const persister = createIndexedDbPersister(store, "tinybase");
    await persister.load();
    return {
      // It begins by saving what it has loaded, for which no reader waits.
      saves: persister.startAutoSave(),
      read: (name) => store.getCell("values", name, "value"),
      write: (name, value) => store.setCell("values", name, "value", value),
      writeAll(all) {
        store.transaction(() => {
          for (const [name, value] of all) store.setCell("values", name, "value", value);
        });
      },
      subscribe: (name, told) => void store.addCellListener("values", name, "value", told),
    };
  },
};
