import { TRPCError } from "@trpc/server";
import type { SessionRecord } from "../stores/store.ts";

/** A live stream's hold: aborted when its browser has left, or the server closes. */
export interface Stream {
  readonly signal: AbortSignal;
  close(): void;
}

/** The live streams of this process: so many of one session at most, all ended when the server closes. */
export class Streams {
  readonly #most: number;
  readonly #open = new Map<string, number>();
  /** Each ends one that is open. */
  readonly #ends = new Set<() => void>();
  /** Reads that are about to begin, by session. */
  readonly #asked = new Map<string, Promise<SessionRecord | null>>();
  #ended = false;

  constructor(most: number) {
    this.#most = most;
  }

  /** Throws `TOO_MANY_REQUESTS` for one stream of a session too many, `SERVICE_UNAVAILABLE` after the end of all. */
  open(identifier: string, left: AbortSignal | undefined): Stream {
    if (this.#ended) {
      throw new TRPCError({ code: "SERVICE_UNAVAILABLE", message: "This server is closing: come back in a moment" });
    }
    const count = this.#open.get(identifier) ?? 0;
    if (count >= this.#most) {
      const message = `This session has ${count} live streams already, and one is enough for a browser: close some`;
      throw new TRPCError({ code: "TOO_MANY_REQUESTS", message });
    }
    this.#open.set(identifier, count + 1);
    // Not `AbortSignal.any`: what that makes of a signal that outlives it, Node 20 keeps for ever.
    const controller = new AbortController();
    const end = () => controller.abort();
    this.#ends.add(end);
    left?.addEventListener("abort", end);
    if (left?.aborted) end();
    return {
      signal: controller.signal,
      close: () => {
        left?.removeEventListener("abort", end);
        this.#ends.delete(end);
        const rest = (this.#open.get(identifier) ?? 1) - 1;
        if (rest > 0) this.#open.set(identifier, rest);
        else this.#open.delete(identifier);
      },
    };
  }

  /**
   * Reads a session once for all of its streams that ask in the same moment, as those do that a commit has woken. None is
   * given what was read before it asked.
   */
  read(identifier: string, read: (identifier: string) => Promise<SessionRecord | null>): Promise<SessionRecord | null> {
    let asked = this.#asked.get(identifier);
    if (!asked) {
      asked = Promise.resolve().then(() => {
        this.#asked.delete(identifier);
        return read(identifier);
      });
      this.#asked.set(identifier, asked);
    }
    return asked;
  }

  /** Ends all that are open; there will be no others. */
  end(): void {
    this.#ended = true;
    for (const end of this.#ends) end();
  }
}
