import type { Epoch } from "../replica/rows.ts";

/** Where epochs rest. */
export type EpochStorage = Pick<Storage, "getItem" | "setItem"> | undefined;

/** So many names of each list are kept. */
const lists = [
  ["from", 4],
  ["past", 32],
  ["quiet", 32],
  ["ends", 16],
  ["heard", 64],
] as const;

/**
 * The epoch at hand. localStorage is read and written synchronously: a tab looks there before it shows, sends or takes in
 * anything, so that a session which one tab has ended is over in all of them.
 */
export class Epochs {
  /** Whether localStorage takes it. A tab without is a device of its own, and leaves nothing on disk. */
  readonly shared: boolean;
  /** The name of an epoch that no other tab knows of, while the browser has none. */
  proposal: string | undefined;
  readonly #storage: EpochStorage;
  readonly #key: string;
  readonly #id: (bytes: number) => string;
  #text = "";
  #epoch: Epoch;

  constructor(storage: EpochStorage, database: string, id: (bytes: number) => string) {
    this.#storage = storage;
    this.#key = `catnap:${database}`;
    this.#id = id;
    const nothing = { from: [], past: [], quiet: [], ends: [], told: {}, heard: [] };
    const name = id(32);
    this.#epoch = { name, profile: id(12), identifier: null, ...nothing };
    this.shared = this.#write(this.#read());
    if (this.get().name === name) this.proposal = name;
  }

  /** As the browser's tabs have it; the same object until it changes. */
  get(): Epoch {
    const text = this.#read();
    if (text && text !== this.#text) {
      try {
        const found = JSON.parse(text) as Epoch;
        if (found.name && found.past) {
          this.#epoch = found;
          this.#text = text;
        }
      } catch {
        // Not ours: the tab goes on with what it has, and writes that.
      }
    }
    return this.#epoch;
  }

  /** Changes the epoch at hand for all tabs. */
  set(change: Partial<Epoch>): Epoch {
    const epoch: { -readonly [K in keyof Epoch]: Epoch[K] } = { ...this.get(), ...change };
    for (const [list, most] of lists) epoch[list] = epoch[list].slice(-most);
    epoch.told = Object.fromEntries(Object.entries(epoch.told).slice(-16));
    this.#epoch = epoch;
    this.proposal = undefined;
    this.#text = JSON.stringify(epoch);
    this.#write(this.#text);
    return epoch;
  }

  /**
   * Before anything is stored, told or sent: the epoch at hand is the browser's, unless that has one. Says whether the user,
   * or the app, has cleared it under the tab: then the disk was perhaps cleared, too.
   */
  agree(): boolean {
    const wasCleared = !this.proposal && !this.#read();
    if (wasCleared || this.get().name === this.proposal) this.set({});
    return wasCleared;
  }

  /** A name of nobody's. */
  fresh(): string {
    return this.#id(32);
  }

  #read(): string {
    try {
      return this.#storage?.getItem(this.#key) ?? "";
    } catch {
      return ""; // denied
    }
  }

  #write(text: string): boolean {
    try {
      this.#storage?.setItem(this.#key, text);
      return this.#storage !== undefined;
    } catch {
      return false; // denied or full
    }
  }
}
