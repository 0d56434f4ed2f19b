import type { OpRow } from "../replica/rows.ts";

/** `isRest`: the disk has what comes before it. */
export type JournalRow = readonly [name: string, row: OpRow, isRest: boolean];

/** The text of one page; localStorage has a few megabytes for the whole origin. */
const maxLength = 65_536;

/** The part of localStorage that is used. */
export type JournalStorage = Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length"> | undefined;

/**
 * The changes of ending pages that are younger than their last completed transactions, in localStorage, which is written
 * synchronously: in WebKit a transaction that begins while a page ends comes to nothing. They are read with the
 * disk, and deleted with what it has of them. Without localStorage there is none.
 *
 * Each departure writes a text of its own, to which nothing is ever added: processes see what others write a moment later, and
 * one that wrote a common text anew would lose what another has just put there. Where two take rows out of
 * one text in the same moment, one may put back what the other has taken out; whoever reads the disk next takes it out again.
 */
export class Journal {
  readonly #storage: JournalStorage;
  readonly #prefix: string;
  readonly #id: (bytes: number) => string;
  /** The text of this page. */
  #own = "";

  constructor(storage: JournalStorage, name: string, id: (bytes: number) => string) {
    this.#storage = storage;
    this.#prefix = `catnap:${name}:journal:`;
    this.#id = id;
  }

  /** `alone`: nothing else is known, so that what comes after other rows is worth nothing. */
  rows(alone?: boolean): readonly JournalRow[] {
    const rows = this.#names().flatMap((name) => this.#read(name));
    return rows.filter(([, , isRest]) => !(alone && isRest));
  }

  /** Keeps these rows in the place of this page's earlier ones, as many of the oldest as there is room for: a later op without an earlier one is worth nothing. */
  keep(rows: readonly JournalRow[]): void {
    const own = this.#own;
    // Of this page alone: to read what others have left would take time that an ending page does not have.
    let length = 2;
    const kept = rows.filter((row) => {
      length += JSON.stringify(row).length + 1;
      return length <= maxLength;
    });
    const name = kept.length > 0 ? this.#prefix + this.#id(8) : "";
    if (name && !this.#put(name, kept)) return;
    this.#own = name;
    if (own) this.#put(own, []);
  }

  /** Keeps what `test` holds for. */
  filter(test: (row: OpRow, name: string) => boolean): void {
    for (const name of this.#names()) {
      const all = this.#read(name);
      const left = all.filter(([name, row]) => test(row, name));
      if (left.length < all.length) this.#put(name, left);
    }
  }

  #names(): string[] {
    const storage = this.#storage;
    try {
      return Array.from({ length: storage?.length ?? 0 }, (_, i) => storage?.key(i) ?? "").filter((name) =>
        name.startsWith(this.#prefix),
      );
    } catch {
      return []; // denied
    }
  }

  #read(name: string): readonly JournalRow[] {
    try {
      return (JSON.parse(this.#storage?.getItem(name) as string) as JournalRow[]).filter(([, { op }]) => op);
    } catch {
      return []; // there is none, it is denied, or it is not ours
    }
  }

  /** No rows are no text. `false`: it is denied, or full; then the last push is what is left. */
  #put(name: string, rows: readonly JournalRow[]): boolean {
    try {
      if (rows.length > 0) this.#storage?.setItem(name, JSON.stringify(rows));
      else this.#storage?.removeItem(name);
      return true;
    } catch {
      return false;
    }
  }
}
