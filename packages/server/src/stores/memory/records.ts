import { expiresAt, type SessionRecord, type StoreKey } from "../store.ts";

/** Records in the order of last use, those of visitors apart from those of people who have logged in. */
export class MemoryRecords {
  readonly #visitors = new InOrderOfUse();
  readonly #people = new InOrderOfUse();

  get size(): number {
    return this.#visitors.size + this.#people.size;
  }

  get(key: StoreKey): SessionRecord | undefined {
    return this.#people.get(key) ?? this.#visitors.get(key);
  }

  /** Puts a record in, as the one that was used last. */
  keep(record: SessionRecord): void {
    this.delete(record.identifier);
    (record.subject === null ? this.#visitors : this.#people).add(record);
  }

  delete(key: StoreKey): boolean {
    return this.#people.delete(key) || this.#visitors.delete(key);
  }

  /** Those among all records that `wanted` takes, at most so many, lowest identifiers first. */
  lowest(limit: number, wanted: (record: SessionRecord) => boolean): SessionRecord[] {
    const found: SessionRecord[] = [];
    let highest: StoreKey | undefined;
    this.each((record) => {
      if ((highest !== undefined && record.identifier > highest) || !wanted(record)) return true;
      // A page is short, and sorting all that it might hold would hold up everything else for a tenth of a second.
      if (found.push(record) > 2 * limit) highest = cut(found, limit);
      return true;
    });
    cut(found, limit);
    return found;
  }

  /** Calls back with each record, until the callback answers `false`. */
  each(visit: (record: SessionRecord) => boolean): void {
    for (const records of [this.#visitors, this.#people]) {
      for (const record of records.values()) if (!visit(record)) return;
    }
  }

  clear(): void {
    this.#visitors.clear();
    this.#people.clear();
  }

  /**
   * Who has to go for want of room, but for the one that was just written: one that has expired, if it is the next anyway;
   * then a visitor; and somebody who has logged in only where there is no visitor. Else whoever asks for pages without a
   * cookie often enough would log everybody out.
   */
  next(now: number, written: StoreKey): SessionRecord | undefined {
    const [visitor, person] = [this.#visitors, this.#people].map((records) => {
      const oldest = records.oldest();
      return oldest?.identifier === written ? undefined : oldest;
    });
    if (visitor && expiresAt(visitor) <= now) return visitor;
    if (person && expiresAt(person) <= now) return person;
    return visitor ?? person;
  }
}

/** Leaves so many of the lowest identifiers, sorted, and says which is the highest. */
function cut(records: SessionRecord[], limit: number): StoreKey | undefined {
  records.sort((a, b) => (a.identifier < b.identifier ? -1 : 1));
  records.splice(limit);
  return records.at(-1)?.identifier;
}

/** Records, of which the one that was not used for longest is found at once. */
class InOrderOfUse {
  // A Map keeps the order of insertion.
  readonly #records = new Map<StoreKey, SessionRecord>();
  /**
   * Goes through the records as they are used up, while they are asked for. An iterator that began anew each time would step
   * over all that were deleted before: tens of microseconds with 100,000 sessions. One that is kept and never asked holds
   * every table that the Map has outgrown, a new one with each few uses.
   */
  #walk: Iterator<SessionRecord> | undefined;
  /** How many records were put in since the walk was asked. */
  #uses = 0;
  /** Where the walk stands, unless that record has gone from there. */
  #oldest: SessionRecord | undefined;

  get size(): number {
    return this.#records.size;
  }

  get(key: StoreKey): SessionRecord | undefined {
    return this.#records.get(key);
  }

  values(): Iterable<SessionRecord> {
    return this.#records.values();
  }

  /** For a record that is not there, or was deleted before. */
  add(record: SessionRecord): void {
    this.#records.set(record.identifier, record);
    if (++this.#uses > this.#records.size) this.#walk = undefined;
  }

  delete(key: StoreKey): boolean {
    if (this.#oldest?.identifier === key) this.#oldest = undefined;
    return this.#records.delete(key);
  }

  oldest(): SessionRecord | undefined {
    if (this.#oldest) return this.#oldest;
    this.#uses = 0;
    this.#walk ??= this.#records.values();
    let step = this.#walk.next();
    if (step.done) {
      // One that has come to its end stays there, whatever is added.
      this.#walk = this.#records.values();
      step = this.#walk.next();
    }
    this.#oldest = step.done ? undefined : step.value;
    return this.#oldest;
  }

  clear(): void {
    this.#records.clear();
    this.#oldest = undefined;
  }
}
