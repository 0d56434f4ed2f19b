import { type ChangesEvent, type Push, SessionError } from "@catnap/shared";
import { call } from "./memory.ts";
import type { SessionProcedures } from "./post.ts";

/** What live updates work with. */
export interface LiveParts {
  readonly trpc: SessionProcedures;
  /** One tab of a browser holds it and the stream; the others hear of what comes from that tab. */
  readonly locks: Pick<LockManager, "request"> | undefined;
  readonly name: string;
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
  /** A push of no ops, which tells what the tab knows. */
  readonly question: () => Push;
  readonly heard: (asked: Push, event: ChangesEvent) => void;
}

/** A stream that lived for less than this counts as a failure: whoever ends it at once is asked less and less often. */
const shortMs = 10_000;

/** The stream of what the server changes, open while the page is awake. */
export class Live {
  readonly #parts: LiveParts;
  #identifier: string | null = null;
  #stop = new AbortController();
  #failures = 0;

  constructor(parts: LiveParts) {
    this.#parts = parts;
  }

  /** Follows this session from here on, and no other; `null`: none. The stream and the lock are let go at once, since the page may be about to freeze. */
  follow(identifier: string | null): void {
    if (identifier === this.#identifier) return;
    this.#identifier = identifier;
    this.#stop.abort();
    this.#stop = new AbortController();
    this.#failures = 0;
    if (identifier !== null) void this.#inTurn(this.#stop.signal).catch(() => undefined);
  }

  /** Waits for the stream's turn in this browser, and keeps it until `stop`. */
  async #inTurn(stop: AbortSignal): Promise<void> {
    const { locks, name } = this.#parts;
    const hold = () => {
      this.#open(stop);
      return new Promise<void>((resolve) => stop.addEventListener("abort", () => resolve()));
    };
    await (locks ? locks.request(`catnap:${name}:live`, { signal: stop }, hold) : hold());
  }

  #open(stop: AbortSignal): void {
    const { trpc, now, random, question, heard } = this.#parts;
    if (stop.aborted) return;
    const asked = question();
    const { identifier, profile, writer, since } = asked;
    const openedAt = now();
    const ended = new AbortController();
    const again = () => {
      if (stop.aborted || ended.signal.aborted) return;
      ended.abort();
      if (now() - openedAt > shortMs) this.#failures = 0;
      const timer = setTimeout(() => this.#open(stop), random() * Math.min(60_000, 1000 * 2 ** this.#failures++));
      stop.addEventListener("abort", () => clearTimeout(timer));
    };
    try {
      if (!trpc.changes || identifier === null) throw new TypeError("trpc has no changes");
      const subscription = trpc.changes.subscribe(
        { identifier, profile, writer, since },
        {
          onData: ({ data }) => void (stop.aborted || heard(asked, data)),
          onError: again,
          onComplete: again,
          // Left to itself, EventSource knocks every three seconds, all tabs alike.
          onConnectionStateChange: ({ state, error }) => void (state === "connecting" && error && again()),
        },
      );
      for (const { signal } of [{ signal: stop }, ended]) {
        signal.addEventListener("abort", () => subscription.unsubscribe());
      }
    } catch (cause) {
      const message = "live needs a tRPC client that carries subscriptions: add httpSubscriptionLink to its links";
      call(() => {
        throw new SessionError("INVALID_OPTION", message, { cause });
      });
    }
  }
}
