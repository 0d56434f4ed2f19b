import { maxNotes, type Note, noteName, type Push } from "@catnap/shared";
import type { Entry, EntryChange } from "../store.ts";

type Entries = ReadonlyMap<string, Entry>;

/** Entries under this prefix hold, for one browser profile each, how far its writers' ops are decided. */
const prefix = "~sync:";
/** Present once a profile's marks had to go: from then on an unknown profile is not taken for a new one. */
const evictedKey = "~evicted";
const maxWriters = 32;
const maxProfiles = 16;
/** Of what the changes had set that a profile's notes tell of, so many UTF-16 units together. */
const maxNotesLength = 8192;
const maxMessageLength = 256;

/** The watermarks of one browser profile. */
export interface Watermarks {
  /** Ops of forgotten writers went at most this far. */
  readonly floor: number;
  /** By writer: every op up to here is decided. */
  readonly writers: Readonly<Record<string, number>>;
  /** What became of the profile's changes, and it has not said yet that it heard. */
  readonly notes: readonly Note[];
  /** Whether the profile has marks. */
  readonly known: boolean;
}

/** The marks of a profile, as a commit may have changed them already. */
export function readWatermarks(
  profile: string,
  entries: Entries,
  changes?: ReadonlyMap<string, EntryChange>,
): Watermarks {
  const { value } = changes?.get(prefix + profile) ?? entries.get(prefix + profile) ?? {};
  if (value == null) return { floor: 0, writers: {}, notes: [], known: false };
  const { f, w, n } = JSON.parse(value) as { f: number; w: Record<string, number>; n?: Note[] };
  const writers = Object.assign(Object.create(null) as Record<string, number>, w);
  return { floor: f, writers, notes: n ?? [], known: true };
}

function write(profile: string, { floor, writers, notes }: Watermarks, changes: Map<string, EntryChange>): void {
  const value = JSON.stringify({ f: floor, w: writers, ...(notes.length > 0 ? { n: notes } : {}) });
  changes.set(prefix + profile, { value, writer: "server", seq: 0 });
}

/** Whether a profile without marks may have had some. */
export function hasEvicted(entries: Entries): boolean {
  return entries.has(evictedKey);
}

/**
 * Raises the watermark of a push's writer, `null` when it decided nothing, retires whom it retires, and keeps its notes
 * until the profile has heard them. Writes nothing for what it heard alone.
 */
export function raiseWatermarks(
  entries: Entries,
  changes: Map<string, EntryChange>,
  push: Push,
  reached: number | null,
  notes: readonly Note[],
): void {
  const marks = readWatermarks(push.profile, entries);
  const writers = { ...marks.writers };
  if (reached !== null) writers[push.writer] = reached;
  let { floor } = marks;
  const drop = (writer: string) => {
    floor = Math.max(floor, writers[writer] ?? 0);
    delete writers[writer];
  };
  const retired = (push.retire ?? []).filter((writer) => writer !== push.writer && Object.hasOwn(writers, writer));
  for (const writer of retired) drop(writer);
  const surplus = Object.keys(writers).length - maxWriters;
  if (surplus > 0) {
    const oldestFirst = Object.keys(writers)
      .filter((writer) => writer !== push.writer)
      .sort((a, b) => (writers[a] ?? 0) - (writers[b] ?? 0));
    for (const writer of oldestFirst.slice(0, surplus)) drop(writer);
  }
  if (reached === null && retired.length === 0) return;
  const kept = keptNotes([...unheard(marks.notes, push.heard), ...notes]);
  write(push.profile, { ...marks, floor, writers, notes: kept }, changes);
  if (!marks.known) evictProfiles(entries, changes);
}

/** Leaves a note for the other profile whose change an op of this one has overwritten unseen. */
export function tellLoser(
  winner: string,
  key: string,
  { writer: loser, seq, value }: Entry,
  entries: Entries,
  changes: Map<string, EntryChange>,
): void {
  const [profile = "", writer = ""] = loser.split("/");
  const marks = readWatermarks(profile, entries, changes);
  if (profile === winner || !marks.known) return;
  write(
    profile,
    { ...marks, notes: keptNotes([...marks.notes, { key, writer, seq, what: "lost", was: value }]) },
    changes,
  );
}

/** How far the ops of every writer are decided, of whatever profile. */
export function decidedIn(entries: Entries): Record<string, number> {
  const decided: Record<string, number> = {};
  for (const name of entries.keys()) {
    if (name.startsWith(prefix)) Object.assign(decided, readWatermarks(name.slice(prefix.length), entries).writers);
  }
  return decided;
}

/** The notes of which a profile has not said that it heard. */
export function unheard(notes: readonly Note[], heard: Push["heard"]): readonly Note[] {
  return notes.filter((note) => !heard?.includes(noteName(note)));
}

/** The latest, and what they quote as far as there is room. */
function keptNotes(notes: readonly Note[]): readonly Note[] {
  let room = maxNotesLength;
  const newestFirst = notes.slice(-maxNotes).reverse();
  const kept = newestFirst.map(({ was = null, message, ...note }) => {
    const fits = (was?.length ?? 0) <= room;
    if (fits) room -= was?.length ?? 0;
    return {
      ...note,
      was: fits ? was : null,
      ...(message === undefined ? {} : { message: message.slice(0, maxMessageLength) }),
    };
  });
  return kept.reverse();
}

/** Makes room for one more profile: the marks that were written longest ago go, and a sign stays. */
function evictProfiles(entries: Entries, changes: Map<string, EntryChange>): void {
  const profiles = [...entries].filter(([name]) => name.startsWith(prefix));
  if (profiles.length < maxProfiles) return;
  profiles.sort(([, a], [, b]) => a.rev - b.rev);
  for (const [name] of profiles.slice(0, profiles.length - maxProfiles + 1)) {
    changes.set(name, { value: undefined, writer: "server", seq: 0 });
  }
  changes.set(evictedKey, { value: "1", writer: "server", seq: 0 });
}
