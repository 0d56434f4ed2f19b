import { after, type Cancel } from "@catnap/shared";
import type { Told } from "../replica/delta.ts";
import type { Pending } from "../replica/memory.ts";
import type { Replica } from "../replica/replica.ts";
import { type OpRow, type ProfileRow, rowName } from "../replica/rows.ts";
import type { Database } from "./database.ts";
import type { Marks } from "./marks.ts";
import type { Put } from "./table.ts";

/** How long the first awake waits for the disk before it goes on without; what the disk says later still counts. */
const softMs = 150;
/** How long the first changes wait for it: without localStorage it alone knows profile and numbers. */
const hardMs = 3_000;

/** At most so often the changes of one key with a merge become ops of their own: what is on disk, nobody joins any more. */
const pauseMs = 200;

/** What the persister tells of: ops that became frozen, notes for the app, a status that may have changed. */
export interface PersisterEvents {
  frozen(ops: readonly Pending[]): void;
  /** Ops of other page loads were found on disk, or missed there: the server knows more. */
  found(): void;
  /** The profile is another one than before. */
  renamed(): void;
  notes(told: readonly Told[]): void;
  pulse(): void;
}

/** Keeps the replica and the disk in step. */
export class Persister {
  readonly #replica: Replica;
  readonly #database: Database;
  readonly #marks: Marks;
  readonly #events: PersisterEvents;
  #loaded = false;
  #waited = false;
  /** The disk was waited for as long as anybody would. */
  #givenUp = false;
  #loading: Promise<void> | undefined;
  /** The read under way. */
  #reading: object | undefined;
  #willFlush = false;
  /** Something waits for its flush; and it does not wait for longer than the task. */
  #waits = false;
  #hurries = false;
  /** The time after a flush for which the next may wait. */
  #pause: Cancel | undefined;
  /** How often what was read was forgotten. */
  #era = 0;

  constructor(replica: Replica, database: Database, marks: Marks, events: PersisterEvents) {
    this.#replica = replica;
    this.#database = database;
    this.#marks = marks;
    this.#events = events;
  }

  /** Reads the disk, unless that was done, and waits for it only so long. */
  async load(): Promise<void> {
    this.#loading ??= this.#read();
    if (this.#waited) return;
    const era = this.#era;
    await this.#wait(softMs);
    // What was wiped meanwhile is read anew, and waited for anew.
    if (era !== this.#era) return this.load();
    this.#waited = true;
    this.flush();
  }

  /** Resolves when the disk has answered, or is given up. */
  async settled(): Promise<void> {
    await this.#wait(hardMs);
    this.#givenUp = true;
    this.flush();
  }

  async #wait(ms: number): Promise<void> {
    let cancel: Cancel | undefined;
    const patience = new Promise<void>((resolve) => {
      cancel = after(ms, resolve);
    });
    await Promise.race([this.#loading, patience]);
    cancel?.();
  }

  /** Lets the next `load` read again, unless a read is under way. */
  refresh(): void {
    if (!this.#reading) this.forget();
  }

  /** Lets the next `load` read again; a read under way counts no more, since it may bring back what was wiped. */
  forget(): void {
    this.#era++;
    this.#loading = this.#reading = undefined;
    this.#waited = false;
  }

  /** Writes what is not on disk yet; from here on nothing is read or written. */
  close(): void {
    this.flush();
    this.#pause?.();
    this.#loaded = false;
    this.#reading = {};
    this.#loading = Promise.resolve();
  }

  /** Reads once more without waiting: what rests on disk for the session that has come back. */
  readAgain(): void {
    this.#loading = this.#read();
  }

  /** Flushes at the end of the task, or, if what has changed `mayWait`, some time after the last flush. Says whether it is the first call in this task. */
  soon(mayWait: boolean): boolean {
    this.#hurries ||= !mayWait;
    if (this.#willFlush) return false;
    this.#willFlush = true;
    queueMicrotask(() => {
      this.#willFlush = false;
      this.#waits = true;
      if (this.#hurries || !this.#pause) this.#beat();
    });
    return true;
  }

  /** Flushes, and lets what may wait wait from here on. */
  #beat(): void {
    this.#pause?.();
    this.#pause = undefined;
    if (!this.#waits) return;
    this.#waits = this.#hurries = false;
    this.#pause = after(pauseMs, () => this.#beat());
    this.flush();
    // A disk that was never asked is asked, so that the change becomes safe; one that failed is tried again.
    if (!this.#loaded || !this.#waited) void this.load();
  }

  /** Freezes what is new and writes to disk what is not there yet, in one transaction that is begun at once. */
  flush(): void {
    this.#willFlush = false;
    // What is frozen keeps its number: not while the disk may still tell of higher ones.
    if (this.#waited && (this.#loaded || !this.#reading || this.#givenUp)) this.#freeze();
  }

  /** Flushes, though the disk may not have been read, and puts aside what may not get there any more. */
  depart(): void {
    this.#willFlush = false;
    this.#freeze();
    const { outbox, writer } = this.#replica;
    const ops = outbox.unsafe().filter(({ key }) => this.#database.keeps(key));
    this.#database.stash(
      writer,
      ops.map((op) => this.#replica.row(op)),
    );
  }

  /** Before anything is frozen or sent: all tabs of a browser are of one profile, and begin under one nonce. */
  agree(): void {
    this.#belong(this.#marks.agree(this.#replica.profile));
  }

  /** Before anything is asked: what the others have agreed on, if they have. */
  follow(): void {
    this.#belong(this.#marks.known(this.#replica.profile));
  }

  #belong(row: ProfileRow): void {
    const { profile } = this.#replica.profile;
    this.#replica.belong(row);
    if (this.#replica.profile.profile !== profile) this.#events.renamed();
  }

  #freeze(): void {
    const { outbox } = this.#replica;
    const fresh = () => [...outbox.own.values()].filter((op) => !outbox.isFrozen(op));
    const [first] = fresh();
    if (first) {
      this.agree();
      // Other tabs' changes are older, though neither the disk nor they may have told of them.
      outbox.clock = Math.max(outbox.clock, this.#marks.clock);
      if (first.seq <= this.#marks.clock) outbox.renumber();
      this.#marks.clock = outbox.clock;
      const ops = fresh();
      outbox.freeze(ops);
      this.#events.frozen(ops);
    }
    this.save();
  }

  /** Saves what is not on disk, in one transaction, with the snapshot after a delta or a reset; no transaction for nothing. */
  save(what: "changes" | "delta" | "reset" = "changes", deletes: readonly string[] = []): void {
    if (!this.#loaded) return;
    const { fresh, stale, done, failed } = this.#replica.outbox.takeUnsaved();
    const rows = fresh.filter(({ key }) => this.#database.keeps(key));
    const puts: Put[] = rows.map((op) => this.#replica.row(op));
    // Whoever finds changes of a session that is not there yet has to make it under the same nonce, also after an eviction.
    if (fresh.length > 0 && this.#replica.identifier === null) puts.push(["profile", this.#replica.profile]);
    const snapshot = what === "changes" ? undefined : this.#database.snapshot(this.#replica.cache(), what === "reset");
    if (!snapshot && puts.length + stale.length + deletes.length === 0) return;
    void this.#database
      .write(puts, [...stale, ...deletes], snapshot)
      .then(done, failed)
      .then(() => this.#events.pulse());
  }

  async #read(): Promise<void> {
    const before = new Set(this.#replica.memory.all());
    const reading = {};
    this.#reading = reading;
    const { outbox } = this.#replica;
    const waiting = outbox.others.size;
    let failed = false;
    const isDone = ({ op, writer }: OpRow) =>
      this.#replica.isMine(writer) ? !outbox.own.has(op.seq) : outbox.isDecided({ ...op, writer });
    try {
      const rows = await this.#database.read(isDone, !this.#loaded);
      if (this.#reading !== reading) return;
      this.#belong(rows.profile);
      const unusable = this.#replica.merge(rows, before);
      this.#loaded = true;
      this.#events.notes(
        unusable.map(({ op: { key, seq, value }, writer, code }) => ({
          key,
          writer,
          seq,
          what: "rejected",
          code,
          mine: value,
        })),
      );
      const names = unusable.map(({ writer, op }) => rowName({ ...op, writer }));
      if (this.#waited) {
        this.flush();
        this.save("changes", names);
      } else if (names.length > 0) void this.#database.write([], names).catch(() => undefined);
    } catch {
      // Works from memory; the next write or awake tries again.
      failed = true;
      if (this.#reading === reading) {
        this.#loading = undefined;
        if (!this.#loaded) this.#replica.find(this.#database.aside(isDone));
      }
    }
    if (this.#reading === reading) this.#reading = undefined;
    this.#events.pulse();
    // A disk that fails is asked with every round: what it has left is news once.
    if (outbox.others.size > (failed ? waiting : 0) || (!failed && this.#replica.doubted.size > 0))
      this.#events.found();
  }
}
