import { byteLength, maxNotes, type Note, noteName, type Push, type SessionSnapshot } from "@catnap/shared";
import type { EntryChange, SessionRecord } from "../stores/store.ts";
import { unreadable } from "../stores/unreadable.ts";

/** What is read of a record. */
type Stored = Pick<SessionRecord, "identifier" | "entries">;
type Changes = ReadonlyMap<string, EntryChange>;

/** Entries under this prefix hold, for one browser profile each, how far its writers' ops are decided. */
const prefix = "~sync:";
/** Present once a profile's watermarks had to go: from then on an unknown profile is not taken for a new one. */
const evictedKey = "~evicted";
const maxWriters = 32;
/** An answer tells of so many, whose changes a tab may be showing. */
const toldWriters = 12;
const maxProfiles = 16;
/** A profile's notes take at most so many bytes as they rest. */
const maxNotesBytes = 8192;
const maxMessageLength = 256;
/** So many ops of one writer wait behind its watermark at most. */
export const maxUndecided = 32;

/** The watermarks of one browser profile. */
export interface Watermarks {
  /** Ops of forgotten writers went at most this far. */
  readonly floor: number;
  /** By writer: every op up to here is decided, but for those in `undecided`. */
  readonly writers: ReadonlyMap<string, number>;
  /** By writer: ops that some version of the app may know. */
  readonly undecided: ReadonlyMap<string, readonly number[]>;
  /** What became of the profile's changes, and it has not said yet that it heard. */
  readonly notes: readonly Note[];
  /** Whether the profile has watermarks. */
  readonly known: boolean;
}

/** Watermarks as they rest. */
interface Resting {
  readonly f: number;
  readonly w: Record<string, number>;
  readonly u?: Record<string, number[]>;
  readonly n?: Note[];
}

/** The watermarks of a profile, as a commit may have changed them already. Throws `STORE_UNUSABLE` for what cannot be read. */
export function readWatermarks(profile: string, { identifier, entries }: Stored, changes?: Changes): Watermarks {
  const name = prefix + profile;
  const { value } = changes?.get(name) ?? entries.get(name) ?? {};
  if (value == null) return { floor: 0, writers: new Map(), undecided: new Map(), notes: [], known: false };
  try {
    const { f, w, u = {}, n = [] } = JSON.parse(value) as Resting;
    const [writers, undecided] = [Object.entries(w), Object.entries(u)];
    const numbers = [f, ...writers.map(([, seq]) => seq), ...undecided.flatMap(([, seqs]) => seqs)];
    if (numbers.every(Number.isSafeInteger) && n.every(isNote)) {
      return { floor: f, writers: new Map(writers), undecided: new Map(undecided), notes: n, known: true };
    }
  } catch {
    // Told below, as for a value of another shape.
  }
  throw unreadable(identifier, name);
}

function isNote(note: unknown): boolean {
  const { key, writer, seq } = (note ?? {}) as Partial<Note>;
  return typeof key === "string" && typeof writer === "string" && Number.isSafeInteger(seq);
}

function write(
  profile: string,
  { floor, writers, undecided, notes }: Watermarks,
  changes: Map<string, EntryChange>,
): void {
  const value = JSON.stringify({
    f: floor,
    w: Object.fromEntries(writers),
    ...(undecided.size > 0 ? { u: Object.fromEntries(undecided) } : {}),
    ...(notes.length > 0 ? { n: notes } : {}),
  });
  changes.set(prefix + profile, { value, writer: "server", seq: 0 });
}

/** Whether a profile without watermarks may have had some. */
export function hasEvicted({ entries }: Stored): boolean {
  return entries.has(evictedKey);
}

/** How far a push has decided its writer's ops. */
export interface Reached {
  readonly upTo: number;
  /** Those before that are not. */
  readonly undecided: readonly number[];
}

/**
 * Raises the watermark of a push's writer, `null` when it decided nothing, and keeps its notes until the profile has heard
 * them. Writes nothing for what it heard alone.
 */
export function raiseWatermarks(
  stored: Stored,
  changes: Map<string, EntryChange>,
  push: Push,
  reached: Reached | null,
  notes: readonly Note[],
): void {
  if (reached === null) return;
  const before = readWatermarks(push.profile, stored);
  const others = latestFirst(before.writers).filter(([writer]) => writer !== push.writer);
  const writers = new Map([[push.writer, reached.upTo], ...others.slice(0, maxWriters - 1)]);
  const waits = new Map([...before.undecided, [push.writer, reached.undecided] as const]);
  const undecided = new Map([...waits].filter(([writer, seqs]) => writers.has(writer) && seqs.length > 0));
  const floor = Math.max(before.floor, others[maxWriters - 1]?.[1] ?? 0);
  const kept = keptNotes([...unheard(before.notes, push.heard), ...notes]);
  write(push.profile, { floor, writers, undecided, notes: kept, known: true }, changes);
  if (!before.known) evictProfiles(stored, changes);
}

/** The writers that have written last, and how far each is decided. */
export function latest(writers: Watermarks["writers"]): Record<string, number> {
  return Object.fromEntries(latestFirst(writers).slice(0, toldWriters));
}

function latestFirst(writers: Watermarks["writers"]): [string, number][] {
  return [...writers].sort(([, a], [, b]) => b - a);
}

/** A change that was overwritten: of which key, whose, and what it had set. */
export interface Overwritten {
  readonly key: string;
  /** `profile/writer`. */
  readonly by: string;
  readonly seq: number;
  readonly value: string | null;
}

/** Leaves a note for the other profile whose change an op of `winner` has overwritten unseen. */
export function tellLoser(
  winner: string,
  { key, by, seq, value }: Overwritten,
  stored: Stored,
  changes: Map<string, EntryChange>,
): void {
  const [profile = "", writer = ""] = by.split("/");
  if (profile === winner) return;
  const before = readWatermarks(profile, stored, changes);
  if (!before.known) return;
  const note = { key, writer, seq, what: "lost" as const, was: value };
  write(profile, { ...before, notes: keptNotes([...before.notes, note]) }, changes);
}

/** How far the ops of every writer are decided, of whatever profile. */
export function decidedIn(stored: Stored): Pick<SessionSnapshot, "decided" | "undecided"> {
  const decided: Record<string, number> = {};
  const undecided: Record<string, readonly number[]> = {};
  for (const name of stored.entries.keys()) {
    if (!name.startsWith(prefix)) continue;
    const marks = readWatermarks(name.slice(prefix.length), stored);
    Object.assign(decided, Object.fromEntries(marks.writers));
    Object.assign(undecided, Object.fromEntries(marks.undecided));
  }
  return { decided, ...(Object.keys(undecided).length > 0 ? { undecided } : {}) };
}

/** The notes of which a profile has not said that it heard. */
export function unheard(notes: readonly Note[], heard: Push["heard"]): readonly Note[] {
  return notes.filter((note) => !heard?.includes(noteName(note)));
}

/** The latest, and what they quote as far as there is room. */
function keptNotes(notes: readonly Note[]): readonly Note[] {
  let room = maxNotesBytes;
  const fits = (note: Note) => {
    const bytes = byteLength(JSON.stringify(note));
    if (bytes <= room) room -= bytes;
    else return false;
    return true;
  };
  const kept: Note[] = [];
  for (const { was = null, message, ...note } of notes.slice(-maxNotes).reverse()) {
    const short = { ...note, ...(message === undefined ? {} : { message: message.slice(0, maxMessageLength) }) };
    const shortened = [
      { ...short, was },
      { ...short, was: null },
    ].find(fits);
    if (shortened) kept.push(shortened);
  }
  return kept.reverse();
}

/** Makes room for one more profile: the watermarks that were written longest ago go, and a sign stays. */
function evictProfiles({ entries }: Stored, changes: Map<string, EntryChange>): void {
  const profiles = [...entries].filter(([name]) => name.startsWith(prefix));
  if (profiles.length < maxProfiles) return;
  profiles.sort(([, a], [, b]) => a.rev - b.rev);
  for (const [name] of profiles.slice(0, profiles.length - maxProfiles + 1)) {
    changes.set(name, { value: undefined, writer: "server", seq: 0 });
  }
  changes.set(evictedKey, { value: "1", writer: "server", seq: 0 });
}
