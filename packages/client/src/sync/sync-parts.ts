import type { SessionErrorCode } from "@catnap/shared";
import type { Told } from "../replica/delta.ts";
import type { Replica } from "../replica/replica.ts";
import type { Epochs } from "../storage/epochs.ts";
import type { Persister } from "../storage/persister.ts";
import type { Siblings } from "./siblings.ts";
import type { Transport } from "./transport.ts";

/** What an app, or whoever runs it, has to mend before changes go home. */
export interface Problem {
  readonly code: SessionErrorCode;
  /** Says which setting is the cause, and what to do. */
  readonly message: string;
}

/** What the synchroniser works with. */
export interface SyncParts {
  readonly replica: Replica;
  readonly persister: Persister;
  readonly siblings: Siblings;
  readonly transport: Transport;
  readonly epochs: Epochs;
  readonly locks: Pick<LockManager, "request"> | undefined;
  readonly name: string;
  /** For how long at most writes postpone a round. */
  readonly maxWaitMs: number;
  /** For how long changes wait for a server that knows their keys. */
  readonly unknownMs: number;
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** What the synchroniser tells its tab. */
export interface SyncEvents {
  /** Something is about to be sent, or shown: another tab may have ended the session meanwhile. */
  before(): void;
  /** What became of some changes, unless the browser has heard. */
  notes(told: readonly Told[]): void;
  /** A change that this tab has given up. */
  rejected(told: Told): void;
  /** The server has ended the session. Comes before the call that found it out rejects. */
  ended(code: "SESSION_EXPIRED" | "SESSION_GONE" | "SESSION_REPLACED"): void;
  /** The server has named the browser's session. */
  met(): void;
  /** No session can be begun in this epoch any more: what waits goes on in another. */
  spent(): void;
  pulse(): void;
}
