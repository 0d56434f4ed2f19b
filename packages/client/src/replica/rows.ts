import type { Op, SessionErrorCode } from "@catnap/shared";
import type { Facts } from "./delta.ts";
import type { BaseEntry, Pending } from "./memory.ts";

// What rests in the browser, as the replica gives and takes it.

/** Who the browser profile is, and the secret by which its first requests know each other. */
export interface ProfileRow {
  readonly profile: string;
  readonly nonce: string;
}

/** An op as it rests on disk, bound to the session that it belongs to. */
export interface OpRow {
  readonly identifier: string | null;
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
  /** The highest seq seen: a later page goes on from here. */
  readonly clock: number;
  /** How far each writer's ops are part of the entries: their rows may still be there. */
  readonly decided: Readonly<Record<string, number>>;
  /** Names of notes that the app was told of, and the server may still keep. */
  readonly heard?: readonly string[];
  readonly facts: Facts | null;
  /** The browser has kept the session's cookie. */
  readonly kept?: boolean;
  readonly entries: readonly (readonly [string, BaseEntry])[];
}

/** What the disk holds, sorted: the cache, the profile, the ops. */
export interface Rows {
  readonly cache: CacheRow | undefined;
  readonly profile: ProfileRow;
  readonly ops: readonly OpRow[];
  /** Rows of changes that can never be sent, and why. */
  readonly unusable: readonly (OpRow & { readonly code: SessionErrorCode })[];
}
