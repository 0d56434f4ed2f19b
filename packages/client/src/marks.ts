/**
 * Marks in localStorage, which is written synchronously: they outlive a tab that dies in the middle of a wipe, and are
 * there before a page that comes back shows anything. They hold identifiers, which are public, and nonces, which the disk
 * holds as well; never a value. Without localStorage they live as long as the tab.
 */
export class Marks {
  readonly #storage: Pick<Storage, "getItem" | "setItem"> | undefined;
  readonly #prefix: string;
  readonly #own = new Map<string, string>();

  constructor(storage: Pick<Storage, "getItem" | "setItem"> | undefined, name: string) {
    this.#storage = storage;
    this.#prefix = `catnap:${name}:`;
  }

  /** `wipe`: rows still to be deleted. `end`: sessions that the server still has to be told of; `*` and a time stand for the one that the browser had then. `dead`: the last few that were wiped. */
  list(what: "wipe" | "end" | "dead"): string[] {
    return (this.#get(what) ?? "").split(" ").filter(Boolean);
  }

  add(what: "wipe" | "end" | "dead", identifier: string): void {
    this.#set(what, [...this.list(what).filter((one) => one !== identifier), identifier].slice(-16).join(" "));
  }

  remove(what: "wipe" | "end" | "dead", identifier: string): void {
    const list = this.list(what);
    if (list.includes(identifier)) {
      this.#set(what, list.filter((one) => one !== identifier).join(" "));
    }
  }

  /** `nonce`: the one under which the browser goes on since its last wipe, which it thereby names. `wiped`: that of its last wipe of everything. */
  get(what: "nonce" | "wiped"): string {
    return this.#get(what) ?? "";
  }

  set(what: "nonce" | "wiped", nonce: string): void {
    this.#set(what, nonce);
  }

  #get(what: string): string | null | undefined {
    try {
      return this.#own.get(what) ?? this.#storage?.getItem(this.#prefix + what);
    } catch {
      return null; // storage is denied here
    }
  }

  #set(what: string, text: string): void {
    try {
      if (!this.#storage) throw null;
      this.#storage.setItem(this.#prefix + what, text);
      this.#own.delete(what);
    } catch {
      this.#own.set(what, text); // denied or full
    }
  }
}
