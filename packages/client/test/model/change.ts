import type { Device } from "./device.ts";

export type Key = "note" | "visits" | "tags";
/** `null`: not known there. */
export type Shown = { readonly [K in Key]?: unknown };

/** One change that a tab has made, under a name of its own; `early`: it knew of no session, so whichever its push meets has it. */
export interface Change {
  /** Ends with a number that rises with time. */
  readonly name: string;
  readonly key: Key;
  readonly early: boolean;
  /** When the tab gives it to the disk. */
  dueAt: number;
  /** The server has acknowledged it. */
  acked: boolean;
  /** It is on disk, as one of its session: from then on it outlives its tab. */
  stored: boolean;
  /** Something has happened that may rightly have cost it: its disk, its session, or the server's memory was lost. */
  doubtful: boolean;
}

/** What one tab did while it knew of one session, or of none yet. */
export interface Spell {
  readonly device: Device;
  identifier: string | null;
  readonly changes: Change[];
}
