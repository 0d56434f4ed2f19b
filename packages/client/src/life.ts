import { type Expired, unsentOf } from "./replica/events.ts";
import { heirloomsOf } from "./replica/heirlooms.ts";
import type { Pending } from "./replica/memory.ts";
import type { Replica } from "./replica/replica.ts";
import { isAmong, latestOf, type OpRow } from "./replica/rows.ts";
import type { Epochs } from "./storage/epochs.ts";

/** What `Life` works with. */
export interface LifeParts {
  readonly replica: Replica;
  readonly epochs: Epochs;
  readonly now: () => number;
  readonly onExpired: (event: Expired) => void;
}

/** What `Life` asks of its tab. */
export interface LifeEvents {
  /** The tab goes on in another epoch with what it has; `met`: and in a session that it did not know. */
  joined(met: boolean): void;
  /** The tab has forgotten what it knew: what has ended may go from the disk. */
  left(): void;
}

/** How a tab goes from one epoch of its browser to the next, and with it from session to session. */
export class Life {
  readonly #parts: LifeParts;
  readonly #events: LifeEvents;

  constructor(parts: LifeParts, events: LifeEvents) {
    this.#parts = parts;
    this.#events = events;
  }

  /** Before anything is shown, sent or taken in: another tab may have ended the session, or met one. */
  follow(): void {
    const { replica, epochs } = this.#parts;
    if (!epochs.proposal && epochs.agree()) replica.outbox.rebind();
    const epoch = epochs.get();
    const { identifier, host, profile } = replica;
    if (epoch.name !== host) {
      if (identifier !== null && identifier === epoch.identifier) return this.#join();
      // Nothing has ended: another tab has named the epoch in the same moment, and had not heard of what this one has met.
      if (!epoch.past.includes(host) && (identifier === null || epoch.identifier === null)) {
        const session = identifier ?? epoch.identifier;
        // The one that has sent something keeps its name, and the others go on under that.
        if (replica.sent && !epoch.from.includes(host)) {
          return epochs.set({ name: host, profile, identifier: session, from: [...epoch.from, epoch.name] });
        }
        // Only when it differs: tabs that answer every write with one of their own would never end.
        if (epoch.identifier !== session) epochs.set({ identifier: session });
        return this.#join();
      }
      const own = [...replica.outbox.own.values()];
      const isQuiet = [host, replica.epoch].some((name) => epoch.quiet.includes(name));
      this.#leave(this.#hand(epoch.ended ?? "SESSION_REPLACED", isQuiet ? [] : own, !!epoch.ended));
    } else if (epoch.identifier !== null && identifier === (replica.isGuest ? epoch.identifier : null)) {
      // The browser has met a session: its first, or the one that only this page knew.
      this.#join();
    }
  }

  /** The server has named the browser's session: from here on it is all tabs'. */
  met(): void {
    const { replica, epochs } = this.#parts;
    const { identifier, epoch, isGuest } = replica;
    const known = epochs.get();
    if (known.name === epoch && known.identifier === identifier) return;
    if (known.identifier !== identifier) {
      const without = (names: readonly string[]) => names.filter((name) => name !== identifier);
      const change = {
        name: epoch,
        identifier,
        past: without(known.past),
        quiet: without(known.quiet),
        ended: undefined,
      };
      const hosts = isGuest ? [...known.from, known.name] : known.from;
      if (known.identifier === null) epochs.set({ ...change, from: hosts });
      else epochs.set({ ...change, from: [], past: [...change.past, known.name] });
    }
    this.#join();
  }

  /** No session can be begun in this epoch any more: what waits begins one in the next. */
  spent(): void {
    const { replica, epochs } = this.#parts;
    const { name, from } = epochs.get();
    const next = epochs.fresh();
    if (replica.isGuest) replica.move(next);
    else epochs.set({ name: next, from: [...from, name] });
    this.follow();
  }

  /** The server has ended the session. */
  ended(code: Expired["code"]): void {
    const { replica, epochs } = this.#parts;
    const { identifier, epoch, isGuest } = replica;
    const { past, adopted } = epochs.get();
    const names = code === "SESSION_EXPIRED" || identifier === null ? [epoch] : [epoch, identifier];
    const all = replica.memory.all();
    let heirlooms: readonly Pending[] = [];
    if (code === "SESSION_EXPIRED" && identifier !== null && !isGuest) {
      heirlooms = heirloomsOf(replica.definition, replica.memory, identifier);
      epochs.set({ adopted: [...adopted, ...latestOf(all.filter(({ key }) => this.#adopts(key)))] });
    }
    // Told before it ends, so that who sees the end sees that. Living tabs give their own changes to the app themselves.
    const ops = all.filter(({ writer }) => !replica.living.has(writer));
    const hand = this.#hand(code, ops, true);
    epochs.set({
      past: [...past, ...names],
      // A guest's session is not the browser's, whose epoch goes on.
      ...(isGuest ? {} : { name: epochs.fresh(), identifier: null, from: [], ended: code }),
    });
    this.#leave(hand, heirlooms);
  }

  /** Ends the session in all tabs, and owes it to the server. */
  end(): void {
    const { replica, epochs, now } = this.#parts;
    const { identifier, epoch, host } = replica;
    const { past, quiet, ends } = epochs.get();
    // A tab that has not met the session cannot name it: the time tells the server which one is meant.
    const due = identifier ?? `*${now()}`;
    const names = [epoch, host, due];
    epochs.set({
      name: epochs.fresh(),
      identifier: null,
      from: [],
      past: [...past, ...names],
      quiet: [...quiet, ...names],
      ends: [...ends, due],
      ended: undefined,
    });
    this.#leave(() => undefined);
  }

  /** Hands out what ended sessions have left on disk: as left by an expiry, where all is of the session that expired last. */
  leftover(rows: readonly OpRow[]): void {
    const { ended, past } = this.#parts.epochs.get();
    const ops = rows.map(({ writer, op }) => ({ ...op, writer }));
    // An expiry leaves its epoch as the last that is past; any other end leaves the session's name there.
    const hasExpired = rows.every(({ epoch }) => epoch === past.at(-1));
    this.#hand((hasExpired && ended) || "SESSION_REPLACED", ops)();
  }

  #join(): void {
    const { replica, epochs } = this.#parts;
    const met = replica.isGuest || replica.identifier === null;
    replica.join(epochs.get());
    this.#events.joined(met);
  }

  #leave(hand: () => void, heirlooms: readonly Pending[] = []): void {
    const { replica, epochs, now } = this.#parts;
    const epoch = epochs.get();
    replica.reset(epoch, epoch.ended === "SESSION_EXPIRED" ? now() : undefined, heirlooms);
    this.#events.left();
    hand();
  }

  #adopts(key: string): boolean {
    return !!this.#parts.replica.memory.key(key)?.adopt;
  }

  /** Marks these changes as told, and returns what tells the app of them, but for those that were taken along. */
  #hand(code: Expired["code"], all: readonly Pending[], always = false): () => void {
    const { epochs, onExpired, replica } = this.#parts;
    const epoch = epochs.get();
    const ops = all.filter((op) => !isAmong(epoch.told, op));
    if (ops.length === 0 && !always) return () => undefined;
    epochs.set({ told: [...epoch.told, ...latestOf(ops)] });
    const left = ops.filter((op) => !(this.#adopts(op.key) && isAmong(epoch.adopted, op)));
    const unsent = unsentOf(replica.definition, left);
    return () => onExpired({ code, unsent });
  }
}
