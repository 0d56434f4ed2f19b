import { after, type Cancel } from "@catnap/shared";
import type { Told } from "../replica/delta.ts";
import type { Pending } from "../replica/memory.ts";
import type { Replica } from "../replica/replica.ts";
import { type OpRow, rowName } from "../replica/rows.ts";
import type { Database } from "./database.ts";
import type { Epochs } from "./epochs.ts";

/** How long the first awake waits for the disk before it goes on without; what the disk says later still counts. */
const softMs = 150;

/** At most so often the changes of one key with a merge become ops of their own: what is on disk, nobody joins any more. */
const pauseMs = 200;

/** What the persister tells of: ops that became frozen, notes for the app, a status that may have changed. */
export interface PersisterEvents {
  frozen(ops: readonly Pending[]): void;
  /** Ops of other page loads were found on disk, or missed there: the server knows more. */
  found(): void;
  /** What sessions that have ended left unsent. */
  left(rows: readonly OpRow[]): void;
  notes(told: readonly Told[]): void;
  pulse(): void;
}

/** Keeps the replica and the disk in step. */
export class Persister {
  /** Whether the tab was written to in this task. */
  isDue = false;
  readonly #replica: Replica;
  readonly #database: Database;
  readonly #epochs: Epochs;
  readonly #events: PersisterEvents;
  /** The disk was read once. */
  #loaded = false;
  #closed = false;
  #loading: Promise<void> | undefined;
  /** The read under way. */
  #reading: object | undefined;
  /** `load` has waited for the read at hand. */
  #waited = false;
  /** Something waits for its flush; and it does not wait for longer than the task. */
  #waits = false;
  #hurries = false;
  /** The time after a flush for which the next may wait. */
  #pause: Cancel | undefined;
  /** The keys that are written to again and again: others wait for nothing. */
  readonly #busy = new Set<string>();
  /** How often what was read was forgotten. */
  #era = 0;

  constructor(replica: Replica, database: Database, epochs: Epochs, events: PersisterEvents) {
    this.#replica = replica;
    this.#database = database;
    this.#epochs = epochs;
    this.#events = events;
  }

  /** Reads the disk, unless that was done, and waits for it only so long. */
  async load(): Promise<void> {
    this.#loading ??= this.#read();
    if (this.#waited) return;
    const era = this.#era;
    // A disk that is quicker leaves the timer to ring for nobody.
    await Promise.race([this.#loading, new Promise<void>((resolve) => void after(softMs, resolve))]);
    // What has ended meanwhile is read anew, and waited for anew.
    if (era !== this.#era) return this.load();
    this.#waited = true;
  }

  /** Lets the next `load` read again, unless a read is under way. */
  refresh(): void {
    if (!this.#reading) this.forget();
  }

  /** Lets the next `load` read again; a read under way counts no more, since it may bring back what has ended. */
  forget(): void {
    this.#era++;
    this.#closed = false;
    this.#loading = this.#reading = undefined;
    this.#waited = false;
  }

  /** Deletes what has ended, and lets the next `load` read again. */
  sweep(): void {
    this.forget();
    this.#database.sweep();
  }

  /** Writes what is not on disk yet; until the next `forget` nothing is read or written. */
  close(): void {
    this.flush();
    this.#closed = true;
    this.#pause?.();
    this.#reading = {};
    this.#loading = Promise.resolve();
  }

  /** Reads once more without waiting: what rests on disk for the session that the tab has met. */
  readAgain(): void {
    this.#loading = this.#read();
  }

  /** Flushes at the end of the task, or, if what has changed `mayWait`, some time after the last flush. Says whether it is the first call in this task. */
  soon(key: string, mayWait: boolean): boolean {
    this.#hurries ||= !mayWait || !this.#busy.has(key);
    this.#busy.add(key);
    if (this.isDue) return false;
    this.isDue = true;
    queueMicrotask(() => {
      this.isDue = false;
      this.#waits = true;
      if (this.#hurries || !this.#pause) this.#beat();
    });
    return true;
  }

  /** Flushes, and lets what may wait wait from here on. */
  #beat(): void {
    this.#pause?.();
    this.#pause = undefined;
    if (!this.#waits) return this.#busy.clear();
    this.#waits = this.#hurries = false;
    this.#pause = after(pauseMs, () => this.#beat());
    this.flush();
  }

  /** Freezes what is new and writes to disk what is not there yet, in one transaction that is begun at once. */
  flush(): void {
    this.isDue = false;
    const { outbox } = this.#replica;
    const fresh = outbox.fresh();
    if (fresh.length > 0) {
      this.#epochs.agree();
      outbox.freeze(fresh);
      this.#events.frozen(fresh);
    }
    this.save();
  }

  /** Puts aside what may not get to the disk any more. */
  stash(): void {
    const { outbox } = this.#replica;
    const rows = this.#rows(outbox.unsafe());
    const count = (by: string) => rows.filter(([, row]) => row.writer === by).length;
    this.#database.stash(rows.map(([name, row]) => [name, row, count(row.writer) < outbox.opsOf(row.writer).length]));
  }

  /** Saves what is not on disk, in one transaction, with the snapshot after a delta or a reset; no transaction for nothing. */
  save(what: "changes" | "delta" | "reset" = "changes", deletes: readonly string[] = []): void {
    if (this.#closed) return;
    const written = this.#replica.outbox.save((fresh, stale) => {
      const puts = this.#rows(fresh);
      const snapshot =
        what === "changes" ? undefined : this.#database.snapshot(this.#replica.cache(), what === "reset");
      if (!snapshot && puts.length + stale.length + deletes.length === 0) return;
      return this.#database.write(puts, [...stale, ...deletes], snapshot);
    });
    void written?.then(() => this.#events.pulse());
  }

  /** Of these, what may touch the disk. */
  #rows(ops: readonly Pending[]): (readonly [string, OpRow])[] {
    return ops.filter(({ key }) => this.#database.keeps(key)).map((op) => this.#replica.row(op));
  }

  async #read(): Promise<void> {
    const before = new Set(this.#replica.memory.all());
    const reading = {};
    this.#reading = reading;
    const { outbox } = this.#replica;
    const waiting = outbox.others.size;
    const isOurs = (row: OpRow) => this.#replica.isOurs(row);
    const rows = await this.#database.read(isOurs);
    if (this.#reading !== reading) return;
    this.#reading = undefined;
    const { failed, ops } = rows;
    if (failed) {
      // Works from memory; the next write or awake tries again.
      this.#loading = undefined;
      if (!this.#loaded) this.#replica.find(ops);
    } else {
      this.#loaded = true;
      this.#replica.merge(rows, before);
      // A change of this very page may rest under what the tab was before it heard of its siblings.
      const left = rows.left.filter(({ writer }) => !this.#replica.isMine(writer));
      if (left.length > 0) this.#events.left(left);
      const names = left.map(({ writer, op }) => rowName({ ...op, writer }));
      // What the disk did not take before is tried again.
      this.save("changes", names);
    }
    this.#events.pulse();
    // A disk that fails is asked with every round: what it has left is news once.
    if (outbox.others.size > (failed ? waiting : 0) || (!failed && this.#replica.outbox.doubted.size > 0))
      this.#events.found();
  }
}
