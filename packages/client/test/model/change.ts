import type { Device } from "./device.ts";

export type Key = "note" | "mood" | "visits" | "tags";
/** `null`: not known there. */
export type Shown = { readonly [K in Key]?: unknown };

/** Keys whose changes take the place of each other. */
export const single = ["note", "mood"] as const;

/** The name of the change that a mood shows, as the one version or the other has it; as it is where there is none. */
export const moodOf = (mood: unknown): unknown => (typeof mood === "object" && mood ? (mood as Mood).name : mood);

/** A mood as the newer version has it: in the older one it was a text. */
export interface Mood {
  readonly name: string;
}

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
