import { shows } from "./puppeteer-test.ts";
import type { Places } from "./tally.ts";
import type { Visit } from "./visit.ts";
import type { Fault } from "./wire.ts";

/** What goes wrong with some changes. */
export interface Trouble {
  /** Where the changes are when it has happened and nothing is healed; what is not named is 0. */
  readonly leaves: Partial<Places>;
  /**
   * Makes changes, and it happens. From then on no push gets through. Resolves to what helps when the wire is mended, so
   * that a tab is there that sends and shows everything.
   */
  happens(visit: Visit): Promise<() => Promise<void>>;
}

const outbox = { outbox: 3 };
const both = { both: 3 };

/** Meets the push of the changes. */
const onTheWire = (fault: Fault, leaves: Partial<Places>): Trouble => ({
  leaves,
  async happens(visit) {
    const struck = visit.wire.strike(fault);
    await visit.change();
    await visit.push();
    await struck;
    return () => visit.focus();
  },
});

/** The process of the server dies around a commit, after another one whose changes were acknowledged. */
const serverKilled = (moment: "before" | "after", leaves: Partial<Places>): Trouble => ({
  leaves: { acknowledged: 3, ...leaves },
  async happens(visit) {
    await visit.change();
    await visit.push();
    await visit.settled();
    const struck = visit.wire.strike("none");
    const gone = visit.server.dieAtCommit(moment);
    await visit.change(false);
    await visit.push();
    await Promise.all([gone, struck]);
    await visit.server.start();
    return () => visit.focus();
  },
});

/** Another tab finds its changes on disk, drops those that the server knows, builds on them, and sends what is left; then it goes on. */
const frozen = (fault: Fault, leaves: Partial<Places>): Trouble => ({
  leaves,
  async happens(visit) {
    const struck = visit.wire.strike(fault);
    await visit.change();
    const thaw = await visit.freeze();
    await struck;
    const other = await visit.open();
    await visit.change(false, other);
    return async () => {
      await visit.focus(other);
      await shows(other, "Synced");
      await other.close();
      await thaw();
    };
  },
});

export const troubles: Readonly<Record<string, Trouble>> = {
  "request dropped": onTheWire("drop", outbox),
  "request doubled": onTheWire("double", { acknowledged: 3 }),
  "request overtaken by its retry": onTheWire("late", outbox),
  "answer lost": onTheWire("lose", both),
  "answer cut off": onTheWire("truncate", both),
  "answer late, and more changes before it": {
    leaves: { both: 3, outbox: 2 },
    async happens(visit) {
      const heal = await onTheWire("delay", both).happens(visit);
      await visit.change(false);
      return heal;
    },
  },
  "renderer killed after the changes": {
    leaves: outbox,
    async happens(visit) {
      const devtools = await visit.page.createCDPSession();
      const crashed = new Promise((resolve) => visit.page.once("error", resolve));
      await visit.change();
      // It is never answered.
      devtools.send("Page.crash").catch(() => undefined);
      await crashed;
      await visit.page.close();
      return () => visit.openAgain();
    },
  },
  "tab closed during a push": {
    leaves: { outbox: 5 },
    async happens(visit) {
      await onTheWire("late", outbox).happens(visit);
      await visit.change(false);
      await visit.page.close();
      return () => visit.openAgain();
    },
  },
  "tab closed after the changes, its last push unheard": {
    leaves: both,
    async happens(visit) {
      const struck = visit.wire.strike("lose");
      await visit.change();
      await visit.page.close();
      await struck;
      return () => visit.openAgain();
    },
  },
  "server killed before its commit": serverKilled("before", { outbox: 2 }),
  "server killed between commit and answer": serverKilled("after", { both: 2 }),
  "offline for the changes": {
    leaves: { outbox: 5 },
    async happens(visit) {
      await visit.page.setOfflineMode(true);
      await visit.change();
      await visit.push();
      await visit.change(false);
      return () => visit.page.setOfflineMode(false);
    },
  },
  "tab frozen during a push that is late": frozen("late", { outbox: 5 }),
  "tab frozen before it hears the answer": frozen("lose", { server: 3, outbox: 2 }),
};
