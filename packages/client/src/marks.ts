/**
 * Marks in localStorage, which is written synchronously: they outlive a tab that dies in the middle of a wipe, and are
 * there before a page that comes back shows anything. They name identifiers, which are public, never a value. Without
 * localStorage they live as long as the tab.
 */
export class Marks {
  readonly #storage: Pick<Storage, "getItem" | "setItem"> | undefined;
  readonly #prefix: string;
  readonly #own = new Map<string, string>();

  constructor(storage: Pick<Storage, "getItem" | "setItem"> | undefined, name: string) {
    this.#storage = storage;
    this.#prefix = `catnap:${name}:`;
  }

  /** `wipe`: rows still to be deleted. `end`: sessions that the server still has to be told of. `dead`: the last few that were wiped. */
  list(what: "wipe" | "end" | "dead"): string[] {
    return (this.#get(what) ?? "").split(" ").filter(Boolean);
  }

  add(what: "wipe" | "end" | "dead", identifier: string): void {
    this.#set(what, [...this.list(what).filter((one) => one !== identifier), identifier].slice(-16));
  }

  remove(what: "wipe" | "end" | "dead", identifier: string): void {
    const list = this.list(what);
    if (list.includes(identifier)) {
      this.#set(
        what,
        list.filter((one) => one !== identifier),
      );
    }
  }

  #get(what: string): string | null | undefined {
    try {
      return this.#own.get(what) ?? this.#storage?.getItem(this.#prefix + what);
    } catch {
      return null; // storage is denied here
    }
  }

  #set(what: string, list: string[]): void {
    const text = list.join(" ");
    try {
      if (!this.#storage) throw null;
      this.#storage.setItem(this.#prefix + what, text);
      this.#own.delete(what);
    } catch {
      this.#own.set(what, text); // denied or full
    }
  }
}
