import type { OpRow } from "../replica/rows.ts";

/** `isRest`: the disk has what comes before it. */
export type JournalRow = readonly [name: string, row: OpRow, isRest: boolean];

/** All of a journal together; localStorage has a few megabytes for the whole origin. */
const maxLength = 65_536;

/**
 * The changes of an ending page that are younger than its last completed transaction, in localStorage, which is written
 * synchronously: in WebKit a transaction that begins while a page ends comes to nothing. They are read with the
 * disk, and deleted with what it has of them. Without localStorage there is none.
 */
export class Journal {
  readonly #storage: Pick<Storage, "getItem" | "setItem"> | undefined;
  readonly #name: string;

  constructor(storage: Pick<Storage, "getItem" | "setItem"> | undefined, name: string) {
    this.#storage = storage;
    this.#name = `catnap:${name}:journal`;
  }

  /** `alone`: nothing else is known, so that what comes after other rows is worth nothing. */
  rows(alone?: boolean): readonly JournalRow[] {
    try {
      const found = JSON.parse(this.#storage?.getItem(this.#name) as string) as JournalRow[];
      return found.filter(([, { op }, isRest]) => op && !(alone && isRest));
    } catch {
      return []; // there is none, it is denied here, or it is not ours
    }
  }

  /** Keeps these of the writer's rows, as many of the oldest as there is room for: a later op without an earlier one is worth nothing. */
  keep(writer: string, rows: readonly JournalRow[]): void {
    const all = [...this.rows().filter(([, row]) => row.writer !== writer), ...rows];
    let [length, count] = [2, 0];
    for (const row of all) {
      length += JSON.stringify(row).length + 1;
      if (length > maxLength) break;
      count++;
    }
    this.#set(all.slice(0, count));
  }

  /** Keeps what `test` holds for. */
  filter(test: (row: OpRow, name: string) => boolean): void {
    const all = this.rows();
    const left = all.filter(([name, row]) => test(row, name));
    if (left.length < all.length) this.#set(left);
  }

  #set(rows: readonly JournalRow[]): void {
    try {
      this.#storage?.setItem(this.#name, JSON.stringify(rows));
    } catch {
      // Denied or full: the keepalive push is what is left.
    }
  }
}
