import type { SessionErrorCode } from "../session-error.ts";
import type { Op } from "./patch.ts";

/** The version of the messages below. Raised whenever one of them changes its meaning or shape. */
export const protocol = 6;

/** The most ops that one push carries; a longer outbox goes home in several. */
export const maxOpsPerPush = 1_000;

/** One tab's changes on their way home, and its question for what changed elsewhere. */
export interface Push {
  readonly protocol: number;
  /** The session that the ops belong to; `null` while the browser knows of none. */
  readonly identifier: string | null;
  readonly profile: string;
  readonly writer: string;
  /** All unacknowledged ops with `seq` up to `upTo`, oldest first. */
  readonly ops: readonly Op[];
  readonly upTo: number;
  /** The revision that the tab knows; 0 asks for everything. */
  readonly since: number;
  /** The writer's highest acknowledged seq: a server that knows less has gone back in time. */
  readonly acked: number;
  /**
   * Of what the tab knows of the session at `since`, in a push of no ops, behind the fingerprint of its definition and a
   * dot: a server whose past is another one, since a backup was restored, may have come to the same revision.
   */
  readonly checksum?: string;
  /** Names of notes that this profile's last answers told of, at most 16: the server forgets them with the next change. */
  readonly heard?: readonly string[];
  /** 256 random bits of the browser, sent while it knows of no session: first requests at once recognise each other by it. */
  readonly nonce?: string;
}

/**
 * What became of an op that was not simply applied. It waits on the server until a push says that it was heard, since an
 * answer may be lost, or its tab.
 */
export interface Note {
  readonly key: string;
  /** The page load whose op it was. */
  readonly writer: string;
  readonly seq: number;
  /** `lost`: another change stands. `merged`: both stand, joined. `rejected`: the server refused it. */
  readonly what: "lost" | "merged" | "rejected";
  /** What the change had set, encoded; absent: the push carries it; `null`: nothing, or too much to be kept. */
  readonly was?: string | null;
  readonly code?: SessionErrorCode;
  readonly message?: string;
}

/** So many notes wait for a profile at most: the latest. */
export const maxNotes = 8;

/** The name of a note: of those that wait, an op has one at most, since one that is overwritten was applied. */
export function noteName({ writer, seq }: Pick<Note, "writer" | "seq">): string {
  return `${writer}/${seq}`;
}

/** What a browser may know of its session besides the values. Times are seconds; ages count back from the answer. */
export interface SessionFacts {
  readonly createdAgo: number;
  readonly accessedAgo: number;
  readonly transactions: number;
  readonly timeout: number;
  /** Until the session expires if nobody touches it. */
  readonly expiresIn: number;
}

/** What changed: an entry per key that the browser may see. */
export interface WireEntry {
  /** Absent: the value of the op that this push carried. */
  readonly value?: string;
  readonly rev: number;
}

export interface SyncSuccess {
  readonly ok: true;
  /** `null`: there is no session, because nobody wrote anything. */
  readonly identifier: string | null;
  readonly rev: number;
  /** The writer's ops up to here are decided: applied, merged, lost or rejected. */
  readonly acked: number;
  /** The same for the push's profile's latest writers: what their last pushes did is part of the entries. */
  readonly decided: Readonly<Record<string, number>>;
  /**
   * By writer, ops that wait although later ones are decided, and the latest that wait: of keys that this process does not know,
   * since it runs another version of the app. They are to be sent again.
   */
  readonly undecided?: Readonly<Record<string, readonly number[]>>;
  readonly entries: Readonly<Record<string, WireEntry>>;
  readonly deleted: Readonly<Record<string, number>>;
  /** `entries` is the whole session: forget every entry that is not in it. */
  readonly reset?: true;
  readonly notes: readonly Note[];
  readonly facts: SessionFacts | null;
}

/** An answer that ends the tab's session: data, not an exception, so that no app's error format can hide it. */
export interface SyncFailure {
  readonly ok: false;
  readonly code:
    | "SESSION_GONE"
    | "SESSION_EXPIRED"
    | "SESSION_REPLACED"
    | "NO_COOKIE"
    | "PROTOCOL_MISMATCH"
    | "HEADERS_SENT";
  readonly message: string;
  /** The session that a first push would have made, had it not ended before. */
  readonly identifier?: string;
}

export type Answer = SyncSuccess | SyncFailure;

/** A browser's wish to be told what changes in its session, as it happens. */
export interface ChangesInput {
  /** The session that it knows. */
  readonly identifier: string;
  readonly profile: string;
  readonly writer: string;
  /** The revision that it knows; 0 asks for everything. */
  readonly since: number;
  /** The id of the last event that arrived before the connection broke: its revision. */
  readonly lastEventId?: string | null;
}

/** One event of a live stream: what changed after `since`, or why nothing more will come. */
export type ChangesEvent = (SyncSuccess & { readonly since: number }) | SyncFailure;

/** What a server-rendered page hands to its client: the state that the first render shows. */
export interface SessionSnapshot {
  readonly identifier: string | null;
  readonly rev: number;
  readonly entries: Readonly<Record<string, { readonly value: string; readonly rev: number }>>;
  /** How far each writer's ops are part of the entries: the disk may hold some that were never acknowledged. */
  readonly decided: Readonly<Record<string, number>>;
  /** The ops up to there that are not. */
  readonly undecided?: Readonly<Record<string, readonly number[]>>;
  readonly facts: SessionFacts | null;
}
