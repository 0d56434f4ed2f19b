import type { Commit, Entry, EntryChange, SessionRecord, StoreKey } from "./store.ts";

type Entries = ReadonlyMap<string, Entry>;
type Changes = ReadonlyMap<string, EntryChange>;

/** So many entries are copied for less than it costs to look at two maps for each. */
const few = 32;
/** So many changes lie above a map, or hide values of so many UTF-16 units in it, before both are made one. */
const deep = 16;
const heavy = 16_384;

/** Entries, and on top what was changed since: a commit costs what it changes. Names keep the order in which they came. */
class Layered implements Entries {
  readonly size: number;
  /** The length of the values below that nobody sees any more. */
  readonly hidden: number;
  readonly below: Entries;
  /** `null`: gone. */
  readonly above: ReadonlyMap<string, Entry | null>;

  constructor(below: Entries, above: ReadonlyMap<string, Entry | null>) {
    let { size } = below;
    let hidden = 0;
    above.forEach((entry, name) => {
      const old = below.get(name);
      size += (entry ? 1 : 0) - (old ? 1 : 0);
      hidden += old?.value?.length ?? 0;
    });
    this.size = size;
    this.hidden = hidden;
    this.below = below;
    this.above = above;
  }

  get(name: string): Entry | undefined {
    const entry = this.above.get(name);
    return entry === undefined ? this.below.get(name) : (entry ?? undefined);
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  forEach(callback: (entry: Entry, name: string, map: Entries) => void): void {
    const { below, above } = this;
    below.forEach((old, name) => {
      const entry = above.get(name);
      if (entry !== null) callback(entry ?? old, name, this);
    });
    above.forEach((entry, name) => {
      if (entry && !below.has(name)) callback(entry, name, this);
    });
  }

  *entries(): MapIterator<[string, Entry]> {
    const { below, above } = this;
    for (const [name, old] of below) {
      const entry = above.get(name);
      if (entry !== null) yield [name, entry ?? old];
    }
    for (const [name, entry] of above) if (entry && !below.has(name)) yield [name, entry];
  }

  *keys(): MapIterator<string> {
    for (const [name] of this.entries()) yield name;
  }

  *values(): MapIterator<Entry> {
    for (const [, entry] of this.entries()) yield entry;
  }

  [Symbol.iterator](): MapIterator<[string, Entry]> {
    return this.entries();
  }
}

function flat(entries: Entries): Map<string, Entry> {
  const copy = new Map<string, Entry>();
  // A third cheaper than handing the map to the constructor, which asks its iterator.
  entries.forEach((entry, name) => {
    copy.set(name, entry);
  });
  return copy;
}

/** The entries as a commit leaves them. Those before stay as they are, for whoever reads them. */
export function withChanges(before: Entries, changes: Changes, rev: number): Entries {
  let after: Entries;
  if (before.size <= few) {
    const copy = flat(before);
    for (const [name, change] of changes) {
      const entry = entryOf(change, rev);
      if (entry) copy.set(name, entry);
      else copy.delete(name);
    }
    after = copy;
  } else {
    const [below, known] = before instanceof Layered ? [before.below, before.above] : [before, []];
    const above = new Map<string, Entry | null>(known);
    for (const [name, change] of changes) above.set(name, entryOf(change, rev));
    const layered = new Layered(below, above);
    after = above.size > deep || layered.hidden > heavy ? flat(layered) : layered;
  }
  const counted = units.get(before);
  if (counted) units.set(after, new Map([...counted.keys()].map((keys) => [keys, unitsWith(before, changes, keys)])));
  return after;
}

function entryOf({ value, writer, seq }: EntryChange, rev: number): Entry | null {
  return value === undefined ? null : { value, rev, writer, seq };
}

/** The record as a commit leaves it, as far as whoever commits can know: others may have used the session meanwhile. */
export function committed(
  identifier: StoreKey,
  record: SessionRecord | null,
  commit: Commit,
  rev: number,
): SessionRecord {
  let entries: Entries = record?.entries ?? new Map<string, Entry>();
  let changes: Changes | undefined = commit.changes;
  return {
    identifier,
    rev,
    createdAt: record?.createdAt ?? commit.create?.createdAt ?? commit.accessedAt,
    endsAt: record?.endsAt ?? commit.create?.endsAt ?? commit.accessedAt,
    accessedAt: Math.max(record?.accessedAt ?? 0, commit.accessedAt),
    timeoutMs: commit.timeoutMs ?? record?.timeoutMs ?? 0,
    transactions: (record?.transactions ?? 0) + commit.transactions,
    subject: commit.subject ?? record?.subject ?? null,
    authenticatedAt: commit.authenticatedAt ?? record?.authenticatedAt ?? null,
    // Few requests read on after their commit: a copy of all entries would be for nothing.
    get entries() {
      if (changes) entries = withChanges(entries, changes, rev);
      changes = undefined;
      return entries;
    },
  };
}

/** The names that count; those of Catnap's own entries, which begin with `~`, are never among them. */
export type Counted = Pick<ReadonlyMap<string, unknown>, "has">;

/** How long the values under some names are together, of entries that were asked before, and of those that were made of them. */
const units = new WeakMap<Entries, Map<Counted, number>>();

/** The length of all values that count, in UTF-16 units, as changes will leave it. */
export function unitsWith(entries: Entries, changes: Changes, counted: Counted): number {
  const lengthOf = (name: string, value: string | null | undefined) =>
    value == null || !counted.has(name) ? 0 : value.length;
  const known = units.get(entries) ?? new Map<Counted, number>();
  units.set(entries, known);
  let sum = known.get(counted) ?? 0;
  if (!known.has(counted)) {
    entries.forEach(({ value }, name) => {
      sum += lengthOf(name, value);
    });
    known.set(counted, sum);
  }
  for (const [name, { value }] of changes) sum += lengthOf(name, value) - lengthOf(name, entries.get(name)?.value);
  return sum;
}
