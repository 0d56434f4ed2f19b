import type { Epoch } from "../replica/rows.ts";

/** The part of localStorage that is used; absent where the browser denies it. */
export type EpochStorage = Pick<Storage, "getItem" | "setItem"> | undefined;

/** How many of each list's latest names are kept. */
const most = { from: 4, ends: 16, past: 32, quiet: 32, told: 32, adopted: 32, heard: 64 } as const;
const lists = Object.keys(most) as (keyof typeof most)[];
/** What is in one of these stays in it, whoever has not seen it. */
const kept = lists.slice(2);

type Draft = { -readonly [K in keyof Epoch]: Epoch[K] };

/** A record takes so many characters from the start: then it can still be replaced when the app has filled localStorage. */
const room = 8_192;

const nothing = { identifier: null, from: [], past: [], quiet: [], ends: [], told: [], adopted: [], heard: [] };

/**
 * The browser's epoch, in localStorage, which is read and written synchronously. A tab looks there before it shows, sends or
 * takes in anything, so that a session which one tab has ended is over in all of them.
 */
export class Epochs {
  /** Whether localStorage takes the record. A tab without it is a device of its own, and leaves nothing on disk. */
  shared: boolean;
  /** The name of this tab's epoch as long as no other tab can know it; absent once the browser has an epoch. */
  proposal: string | undefined;
  readonly #storage: EpochStorage;
  readonly #key: string;
  readonly #id: (bytes: number) => string;
  /** As it was read or written last. */
  #text = "";
  #epoch: Epoch;

  constructor(storage: EpochStorage, database: string, id: (bytes: number) => string) {
    this.#storage = storage;
    this.#key = `catnap:${database}`;
    this.#id = id;
    const name = id(32);
    this.#epoch = { ...nothing, name, profile: id(12) };
    this.shared = this.#read() !== "" || this.#write("".padEnd(room));
    if (this.get().name === name) this.proposal = name;
  }

  /**
   * As the browser's tabs have it; the same object until it changes. Another process may have written without having seen
   * what this one has just written: nothing that has ended, or was told, is forgotten.
   */
  get(): Epoch {
    const text = this.shared ? this.#read() : "";
    if (text && text !== this.#text) {
      this.#text = text;
      try {
        const found = { ...nothing, ...(JSON.parse(text) as Epoch) };
        const known = this.#epoch;
        if (found.profile) {
          // Where each has ended the other, the text that reached the browser last counts.
          const isStale = known.past.includes(found.name) && !found.past.includes(known.name);
          const [latest, other] = isStale ? [known, found] : [found, known];
          const both: Draft = { ...latest };
          for (const list of kept) {
            const lacks = (one: string) => ![...latest[list], latest.name, latest.identifier].includes(one);
            both[list] = [...other[list].filter(lacks), ...latest[list]];
          }
          this.#keep(both, JSON.stringify(found));
        }
      } catch {
        // Not Catnap's text: the tab keeps its epoch, and writes that in its place.
      }
    }
    return this.#epoch;
  }

  /** Changes the epoch for all tabs. */
  set(change: Partial<Epoch>): void {
    const epoch = { ...this.get(), ...change };
    this.proposal = undefined;
    this.#keep(epoch);
  }

  /** Goes on with this, and writes it unless that is what was `found`. */
  #keep(epoch: Draft, found?: string): void {
    for (const list of lists) epoch[list] = epoch[list].slice(-most[list]);
    this.#epoch = epoch;
    const text = JSON.stringify(epoch);
    if (!this.shared || text === found) return;
    this.#text = text.padEnd(room);
    if (this.#write(this.#text)) return;
    this.shared = false;
    console.warn("catnap: localStorage is full: this tab is alone");
  }

  /**
   * Before anything is stored, told or sent: makes this tab's epoch the browser's, unless the browser has one. Says whether
   * the user, or the app, has cleared localStorage under the tab: then IndexedDB may be cleared, too.
   */
  agree(): boolean {
    const wasCleared = this.shared && !this.proposal && !this.#read();
    if (wasCleared || this.get().name === this.proposal) this.set({});
    return wasCleared;
  }

  /** A new name for an epoch. */
  fresh(): string {
    return this.#id(32);
  }

  #read(): string {
    try {
      const text = this.#storage?.getItem(this.#key) ?? "";
      return text[0] === "{" ? text : "";
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
