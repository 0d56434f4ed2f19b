import type { ProfileRow } from "../replica/rows.ts";

type Listed = "wipe" | "end" | "dead" | "parked" | "heard";
type Mark = Listed | "profile" | "nonce" | "wiped" | "clock" | "next";

/**
 * Marks in localStorage, which is written synchronously: they outlive a tab that dies in the middle of a wipe, and are
 * there before a page that comes back shows anything. They hold identifiers and names, which are public, and nonces, which
 * the disk holds as well; never a value. Without localStorage they live as long as the tab.
 */
export class Marks {
  readonly #storage: Pick<Storage, "getItem" | "setItem"> | undefined;
  readonly #prefix: string;
  readonly #own = new Map<string, string>();

  constructor(storage: Pick<Storage, "getItem" | "setItem"> | undefined, name: string) {
    this.#storage = storage;
    this.#prefix = `catnap:${name}:`;
  }

  /** `wipe`: of which sessions rows are still to be deleted; `*` and a nonce stand for all that there was before that. `end`: sessions that the server still has to be told of; `*` and a time stand for the one that the browser had then. `dead`: the last few that were wiped. `parked`: the last few that expired, of which the app has what was unsent. `heard`: the last few notes that the app was told of. */
  list(what: Listed): string[] {
    return this.get(what).split(" ").filter(Boolean);
  }

  add(what: Listed, ...names: string[]): void {
    if (names.length === 0) return;
    const others = this.list(what).filter((one) => !names.includes(one));
    this.set(what, [...others, ...names].slice(what === "heard" ? -64 : -16).join(" "));
  }

  remove(what: Listed, identifier: string): void {
    const left = this.list(what).filter((one) => one !== identifier);
    this.set(what, left.join(" "));
  }

  /** `profile`: the browser's. `nonce`: the one under which it begins its next session; after a wipe it names that. `wiped`: that of its last wipe of everything. */
  get(what: Mark): string {
    try {
      return this.#own.get(what) ?? this.#storage?.getItem(this.#prefix + what) ?? "";
    } catch {
      return ""; // storage is denied here
    }
  }

  set(what: Mark, text: string): void {
    if (this.#share(what, text)) this.#own.delete(what);
    else this.#own.set(what, text);
  }

  /** The highest number that the browser's tabs have given: who cannot read the disk goes on from there. */
  get clock(): number {
    return Number(this.get("clock")) || 0;
  }

  set clock(seq: number) {
    this.set("clock", String(seq));
  }

  /** Profile and nonce as the browser's tabs have them, as far as they do; else as given. */
  known({ profile, nonce }: ProfileRow): ProfileRow {
    return { profile: this.get("profile") || profile, nonce: this.get("nonce") || nonce };
  }

  /** The same, and from here on they have: as the first one that had to know has proposed. */
  agree(proposed: ProfileRow): ProfileRow {
    const agreed = this.known(proposed);
    // Without localStorage the disk alone can tell them, whose word counts each time that it is read.
    for (const what of ["profile", "nonce"] as const) if (this.get(what) === "") this.#share(what, agreed[what]);
    return agreed;
  }

  /**
   * The nonce under which the browser goes on once this session has ended, the same for all its tabs. From here on it is
   * the one at hand: what has begun a session begins no other, which would have the same identifier.
   */
  successor(identifier: string, fresh: () => string): string {
    const [known, nonce] = this.get("next").split(" ");
    if (known === identifier && nonce !== undefined) return nonce;
    const next = fresh();
    this.set("next", `${identifier} ${next}`);
    this.set("nonce", next);
    return next;
  }

  /** Whether localStorage took it, which may be denied or full. */
  #share(what: Mark, text: string): boolean {
    try {
      this.#storage?.setItem(this.#prefix + what, text);
      return this.#storage !== undefined;
    } catch {
      return false;
    }
  }
}
