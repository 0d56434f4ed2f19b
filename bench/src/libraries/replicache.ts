import { Replicache, TEST_LICENSE_KEY, type WriteTransaction } from "replicache";
import type { Library } from "./library.ts";

const mutators = {
  async set(tx: WriteTransaction, [name, value]: readonly [string, string]) {
    await tx.set(name, value);
  },
  async setAll(tx: WriteTransaction, all: readonly (readonly [string, string])[]) {
    for (const [name, value] of all) await tx.set(name, value);
  },
};

/** Replicache without a server. It writes its disk when the page is idle, after a second at the latest. */
export const replicache: Library = {
  async open() {
    const rep = new Replicache({ name: "bench", licenseKey: TEST_LICENSE_KEY, logLevel: "error", mutators });
    await rep.query((tx) => tx.scan().toArray());
    return {
      read: (name) => rep.query((tx) => tx.get(name)),
      write: (name, value) => rep.mutate.set([name, value]),
      writeAll: (all) => rep.mutate.setAll(all),
      subscribe: (name, told) => void rep.subscribe((tx) => tx.get(name), told),
      joins: true,
    };
  },
};
