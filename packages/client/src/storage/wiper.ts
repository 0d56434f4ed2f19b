import type { Replica } from "../replica/replica.ts";
import type { Database } from "./database.ts";
import type { Marks } from "./marks.ts";

/** What was wiped, a session or `"*"`: everything, and the nonce under which the browser goes on: it names the wipe. */
export interface Wipe {
  readonly what: string;
  readonly nonce: string;
}

/** What wiping works with. */
export interface WiperParts {
  readonly replica: Replica;
  readonly marks: Marks;
  readonly database: Database;
}

/** What wiping asks of its tab. */
export interface WiperEvents {
  /** Tell the siblings. */
  wiped(wipe: Wipe): void;
  /** What is still under way to the server under this nonce is to end. */
  abandon(nonce: string): void;
  /** Forget the session, and go on under this nonce. */
  forget(nonce: string): void;
}

/**
 * How a session goes from a browser: marks first, then memory, siblings and disk, and under which nonce all tabs go on.
 * Every wipe is named by the nonce that it begins.
 */
export class Wiper {
  readonly #parts: WiperParts;
  readonly #events: WiperEvents;
  /** The session that this tab has met last. */
  #met: string | null = null;
  /** The wipes, and other changes of the nonce, that this tab knows of. */
  readonly #known: Set<string>;

  constructor(parts: WiperParts, events: WiperEvents) {
    this.#parts = parts;
    this.#events = events;
    this.#known = new Set(["", parts.marks.get("nonce"), parts.marks.get("wiped")]);
  }

  /** Wipes the session, or `"*"`: everything, here and in all tabs. */
  wipe(what: string): void {
    const { replica, database, marks } = this.#parts;
    const nonce = database.nonce();
    marks.set("nonce", nonce);
    if (what === "*") marks.set("wiped", nonce);
    if (replica.identifier !== null) marks.add("dead", replica.identifier);
    // Two wipes of everything are two: the end of the first is not that of the second.
    const wiped = database.wipe(what === "*" ? `*${nonce}` : what);
    this.#events.wiped({ what, nonce });
    this.leave(nonce);
    wiped.catch(() => undefined); // the mark stays, and the next start finishes it
  }

  /** A sibling tells what it has wiped. */
  heard(wipe: Wipe): void {
    if (!this.#known.has(wipe.nonce)) this.#obey(wipe);
  }

  /** Before anything is shown or sent: another tab may have wiped it, unheard by this one. */
  bury(): void {
    const { replica, marks } = this.#parts;
    const [nonce, wiped] = [marks.get("nonce"), marks.get("wiped")];
    if (!this.#known.has(wiped)) {
      this.#known.add(wiped);
      return this.#obey({ what: "*", nonce });
    }
    const dead = marks.list("dead").find((one) => one === replica.identifier);
    if (dead !== undefined || !this.#known.has(nonce)) this.#obey({ what: dead ?? "", nonce });
  }

  /** What was wiped is forgotten, and what may still be under way to the server under its nonce is to end. */
  leave(nonce: string): void {
    const { profile } = this.#parts.replica;
    if (profile.nonce !== nonce) this.#events.abandon(profile.nonce);
    this.#known.add(nonce);
    this.#events.forget(nonce);
  }

  /** The browser has a session: the nonce that may have begun it is put away, before it could begin another. Says whether it is news. */
  meet(): boolean {
    const { replica, marks, database } = this.#parts;
    const { identifier } = replica;
    if (identifier === null || identifier === this.#met) return false;
    this.#met = identifier;
    const nonce = marks.successor(identifier, () => database.nonce());
    this.#known.add(nonce);
    replica.renew(nonce);
    return true;
  }

  /** The nonce under which the browser goes on, all tabs alike, since this one is of no use any more. */
  nonceAfter(spent: string): string {
    const { marks, database } = this.#parts;
    let nonce = marks.get("nonce");
    if (nonce === "" || nonce === spent) {
      nonce = database.nonce();
      marks.set("nonce", nonce);
    }
    this.#known.add(nonce);
    return nonce;
  }

  /** What is this tab's of a wipe goes, too. */
  #obey({ what, nonce }: Wipe): void {
    const { replica } = this.#parts;
    if (what === "*" || what === replica.identifier) return this.leave(nonce);
    this.#known.add(nonce);
    // What has left goes on under the nonce with which it left.
    if (replica.identifier === null && !replica.begun) replica.renew(nonce);
  }
}
