import { after, type Cancel } from "@catnap/shared";
import { never } from "../replica/replica.ts";
import type { SyncParts } from "./sync-parts.ts";

/** Within how long a tab tries again after the first failure, and how far that doubles. */
const [firstMs, longestMs] = [1_000, 60_000];
/** How long a tab waits to hear what became of a sibling's changes; their page may have ended as it sent them. */
const wonderMs = 5_000;

/** When the next round is due. */
export class Pace {
  /** Failures since the last success. */
  failures = 0;
  /** The tab is closed: no round is due, and no answer is taken in. */
  closed = false;
  readonly #parts: Pick<SyncParts, "now" | "random" | "maxWaitMs" | "replica">;
  readonly #round: () => void;
  #timer: Cancel | undefined;
  #wondering: Cancel | undefined;
  /** When writes postpone the next round no longer. */
  #dueAt: number = never;

  constructor(parts: Pick<SyncParts, "now" | "random" | "maxWaitMs" | "replica">, round: () => void) {
    this.#parts = parts;
    this.#round = round;
  }

  /** Whether a round is due some time. */
  get isSet(): boolean {
    return !!this.#timer;
  }

  /** The next failure is the first again; what was closed is open. */
  open(): void {
    this.closed = false;
    this.failures = 0;
  }

  close(): void {
    this.closed = true;
    this.#cancel();
    this.#wondering?.();
  }

  /** A round begins: no other is due. */
  begin(): void {
    this.#cancel();
    this.#dueAt = never;
  }

  /** Makes a round after so long without another call. */
  later(ms: number = longestMs): void {
    this.#cancel();
    if (!this.closed) this.#timer = after(ms, this.#round);
  }

  /** Like `later`, but at most `maxWaitMs` after the first call; and while the server is away the backoff decides. */
  idle(ms: number): void {
    if (this.failures > 0 && this.#timer) return;
    const now = this.#parts.now();
    this.#dueAt = Math.min(this.#dueAt, now + this.#parts.maxWaitMs);
    this.later(Math.min(ms, this.#dueAt - now));
  }

  /** Makes a round in a while, unless nothing is pending any more by then. */
  wonder(): void {
    this.#wondering ??= after(wonderMs, () => {
      this.#wondering = undefined;
      if (this.#parts.replica.memory.pending > 0) this.#round();
    });
  }

  /** A round has failed. The next is due after `retryMs` at least; `null`: not by itself. */
  failed(retryMs: number | null): void {
    this.failures++;
    // Full jitter, so that a server that comes back does not meet everybody at once.
    const backoff = this.#parts.random() * Math.min(longestMs, firstMs * 2 ** (this.failures - 1));
    if (retryMs !== null) this.later(Math.max(retryMs, backoff));
  }

  #cancel(): void {
    this.#timer?.();
    this.#timer = undefined;
  }
}
