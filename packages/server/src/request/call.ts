import { type Session, SessionError } from "@catnap/shared";
import type { Draft } from "../commit/draft.ts";
import type { Settings } from "../settings.ts";
import type { Barrier } from "./barrier.ts";
import type { Fork } from "./fork.ts";
import type { UnderWay } from "./under-way.ts";

/** The request that a call is of, as far as the call needs it. */
export interface CallOrigin {
  readonly settings: Settings;
  readonly barrier: Barrier;
  readonly underWay: UnderWay;
  /** Commits a call's changes with those of the request's other calls. */
  settle(draft: Draft): Promise<void>;
  /** Commits a call's changes without waiting for other calls. */
  commit(draft: Draft): Promise<void>;
  /** Notes that the session was used although nothing is committed. */
  touch(): Promise<void> | undefined;
  /** Is told that the call is over. */
  over(): void;
}

/** One call's hold on the session, from the moment it starts to the moment its changes are handed over. */
export class Call {
  readonly fork: Fork;
  readonly session: Session;
  readonly #origin: CallOrigin;
  /** Tells the server that the call is over. */
  #left: () => void;
  /** The other calls of the request wait for this one. */
  #awaited = true;
  #lingers = false;

  constructor(origin: CallOrigin, fork: Fork, left: () => void) {
    origin.barrier.enter();
    this.#origin = origin;
    this.#left = left;
    this.fork = fork;
    this.session = new origin.settings.Session(fork);
  }

  /** Hands the changes over and resolves when they are committed. */
  async succeed(): Promise<void> {
    if (this.#lingers) this.#left = this.#origin.underWay.enter();
    try {
      const draft = this.fork.take();
      this.fork.close();
      if (this.#lingers) await this.#origin.commit(draft);
      else await this.#origin.settle(draft);
    } finally {
      this.#close();
      this.#left();
    }
  }

  /** Goes on for as long as it likes: the other calls of the request do not wait for it any more, nor does a server that closes. */
  linger(): void {
    this.#lingers = true;
    this.#leaveBarrier();
    this.#left();
  }

  /** As `succeed`, where nobody is left to be told of a failure: `report` is. */
  async abandon(): Promise<void> {
    try {
      await this.succeed();
    } catch (error) {
      this.#origin.settings.report({ kind: "background", error });
    }
  }

  /** Drops the changes, and notes that the session was used all the same, unless the store is what failed. */
  async fail(error: unknown): Promise<void> {
    this.#close();
    if (!SessionError.from(error)?.code.startsWith("STORE_")) await this.#origin.touch();
    this.#left();
  }

  /** What the call starts and does not await finds the fork closed. */
  #close(): void {
    this.fork.close();
    this.#origin.over();
    this.#leaveBarrier();
  }

  #leaveBarrier(): void {
    if (this.#awaited) this.#origin.barrier.leave();
    this.#awaited = false;
  }
}
