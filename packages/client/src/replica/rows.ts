import { noteName, type Op } from "@catnap/shared";
import type { BaseEntry, Facts, Undecided } from "./delta.ts";
import type { Pending } from "./memory.ts";

// What rests in the browser, as the replica gives and takes it.

/** The life of one session in one browser, as localStorage holds it for all its tabs. It holds names and numbers, never a value. */
export interface Epoch {
  /** Also the nonce of the epoch's first requests, which makes them one session. */
  readonly name: string;
  /** Names the browser to the server, from epoch to epoch. */
  readonly profile: string;
  /** The session, once the server has named it. */
  readonly identifier: string | null;
  /** Earlier epochs that met no session: their changes belong to this one. */
  readonly from: readonly string[];
  /** Epochs and sessions that have ended. */
  readonly past: readonly string[];
  /** Those of them that a logout has ended: what they left unsent is nobody's to hear of. */
  readonly quiet: readonly string[];
  /** Sessions that the server has to be told to end; `*` and a time stand for the one that the browser had then. */
  readonly ends: readonly string[];
  /** Names of the latest changes that the app was given, since ended sessions left them unsent, and earlier ones of their writers. */
  readonly told: readonly string[];
  /** The same of changes that the browser has taken along from expired sessions: of keys that it adopts. */
  readonly adopted: readonly string[];
  /** Names of notes that the app was told of. */
  readonly heard: readonly string[];
  /** How the server ended the epoch before. */
  readonly ended?: "SESSION_EXPIRED" | "SESSION_GONE" | "SESSION_REPLACED" | undefined;
}

/** Whether one of these names is the change's, or of a later one of its writer. */
export const isAmong = (names: readonly string[], { writer, seq }: Pending): boolean =>
  names.some((name) => {
    const [by, upTo] = name.split("/");
    return by === writer && seq <= Number(upTo);
  });

/** Of these changes, the name of each writer's latest. */
export const latestOf = (ops: readonly Pending[]): string[] => {
  const inOrder = [...ops].sort((a, b) => a.seq - b.seq);
  return [...new Map(inOrder.map((op) => [op.writer, noteName(op)])).values()];
};

/** An op as it rests on disk, bound to the session that it belongs to, and before there is one to its epoch. */
export interface OpRow {
  readonly identifier: string | null;
  readonly epoch: string;
  /** Under another one the server would not know what it has decided of them. */
  readonly profile: string;
  readonly writer: string;
  readonly op: Op;
}

/** A row's name; padded, so that rows come in the order of their seqs. */
export const rowName = ({ writer, seq }: Pending) => `op:${writer}:${String(seq).padStart(16, "0")}`;

/** The last known snapshot as it rests: one record, which hydrates twice as fast as a row per key. */
export interface CacheRow {
  readonly identifier: string | null;
  readonly fingerprint: string;
  readonly rev: number;
  /** How far each writer's ops are part of the entries: their rows may still be there. */
  readonly decided: Readonly<Record<string, number>>;
  /** The ops up to there that are not. */
  readonly undecided?: Undecided;
  readonly facts: Facts | null;
  /** The browser has kept the session's cookie. */
  readonly kept?: boolean;
  readonly entries: readonly (readonly [string, BaseEntry])[];
  /** What the checksum of the entries is made of; absent where some of them are missing. To work it out reads every value. */
  readonly sum?: number | undefined;
}

/** What the disk holds, sorted. */
export interface Rows {
  /** The disk could not be read: these are what pages have put aside. */
  readonly failed: boolean;
  readonly cache: CacheRow | undefined;
  /** Of sessions that may be the tab's. */
  readonly ops: readonly OpRow[];
  /** Of sessions that have ended, and the app was not told. */
  readonly left: readonly OpRow[];
}
