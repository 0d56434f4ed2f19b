import { after, type ChangesEvent, type Push } from "@catnap/shared";
import type { Transport } from "./transport.ts";

/** What live updates work with. */
export interface LiveParts {
  readonly transport: Pick<Transport, "follow">;
  /** One tab of a browser holds it and the stream; the others hear of what comes from that tab. */
  readonly locks: Pick<LockManager, "request"> | undefined;
  readonly name: string;
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
  /** A push of no ops, which tells what the tab knows. */
  readonly question: () => Push;
  readonly heard: (asked: Push, event: ChangesEvent) => void;
  /** There is no stream, or something else in its place, for the first time in a row: the browser does not say what. */
  readonly refused: () => void;
}

/** A stream that lived for less than this counts as a failure: whoever ends it at once is asked less and less often. */
const shortMs = 10_000;

/**
 * For so long, at most, a stream's first retry waits; each failure doubles it. A deploy ends all streams of a server at
 * once: of a thousand browsers some two hundred come back in a second. What is live is late by that, in a page that asks
 * by itself when it gets the focus.
 */
const firstMs = 5_000;

/** The stream of what the server changes, open while the page is awake. */
export class Live {
  readonly #parts: LiveParts;
  #identifier: string | null = null;
  /** Gives the browser's turn back. */
  #yield: (() => void) | undefined;
  /** Ends the stream, or the wait for the next try. */
  #end: (() => void) | undefined;
  #failures = 0;

  constructor(parts: LiveParts) {
    this.#parts = parts;
  }

  /**
   * Follows this session from here on, and no other; `null`: none. Stream and turn are let go at once, since the page may
   * be about to freeze.
   */
  follow(identifier: string | null): void {
    if (identifier === this.#identifier) return;
    this.#identifier = identifier;
    this.#yield?.();
    this.#end?.();
    this.#yield = this.#end = undefined;
    this.#failures = 0;
    if (identifier !== null) this.#inTurn();
  }

  /** Opens the stream when no other tab of this browser has it. */
  #inTurn(): void {
    const { locks, name } = this.#parts;
    const waiting = new AbortController();
    const held = new Promise<void>((resolve) => {
      this.#yield = () => {
        waiting.abort();
        resolve();
      };
    });
    const hold = () => {
      if (!waiting.signal.aborted) this.#open();
      return held;
    };
    if (locks) locks.request(`catnap:${name}:live`, { signal: waiting.signal }, hold).catch(hold);
    else void hold();
  }

  #open(): void {
    const { transport, now, random, question, heard, refused } = this.#parts;
    const asked = question();
    const { identifier, profile, writer, since } = asked;
    const openedAt = now();
    const again = (isRefused: boolean) => {
      this.#end?.();
      if (isRefused && !this.#failures) refused();
      if (now() - openedAt > shortMs) this.#failures = 0;
      this.#end = after(random() * Math.min(60_000, firstMs * 2 ** this.#failures++), () => this.#open());
    };
    try {
      // `follow` opens no stream of no session.
      const input = { identifier: identifier as string, profile, writer, since };
      this.#end = transport.follow(input, (event) => heard(asked, event), again);
    } catch {
      refused(); // no `EventSource`, or one of another kind
    }
  }
}
