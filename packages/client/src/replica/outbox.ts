import type { Key } from "@catnap/shared";
import type { Memory, Pending } from "./memory.ts";
import { type OpRow, rowName } from "./rows.ts";

/**
 * This tab's unacknowledged ops, and those that it found on disk. An op that has been on disk, on the wire or told to
 * a sibling is frozen: it is only followed, since its first half may have taken effect already.
 */
export class Outbox {
  /** Lamport's clock over all tabs: the highest seq seen. */
  clock = 0;
  /** The highest seq that an op was given in the place of an earlier one. */
  renumberedTo = 0;
  /** Ops by seq, oldest first. */
  readonly own: Map<number, Pending> = new Map();
  /** Rows of other page loads, by writer: each is complete up to its last. */
  readonly others: Map<string, { readonly profile: string; ops: Pending[] }> = new Map();
  /** Own ops whose row is in a transaction that was begun (`false`) or is complete (`true`). */
  readonly saved: Map<Pending, boolean> = new Map();
  /** How far each writer's ops are decided: a row or a message that is late must not bring one back. */
  readonly #decided = new Map<string, number>();
  readonly #memory: Memory;
  readonly #frozen = new WeakSet<Pending>();
  /** Names of rows that are still to be deleted. */
  #stale: string[] = [];

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /** Makes an op of a change. A key without a merge keeps its latest op alone; one with a merge a chain of them. */
  write(key: Key, value: string | null, writer: string): void {
    const { name } = key;
    const current = this.#memory.get(name);
    const ops = this.#memory.ops(name);
    const last = key.merge ? ops.at(-1) : ops.findLast((op) => op.writer === writer);
    // A chain's last link takes the change in only while nobody has seen it and nothing else is mixed into `current`.
    const absorbs = last?.writer === writer && (!key.merge || (!this.#frozen.has(last) && last.value === current));
    if (absorbs) this.#drop(last);
    const shown = key.merge && current !== null ? this.#memory.shown(key, current) : null;
    if (value !== null) this.#memory.trust(name, value);
    this.#add({
      seq: ++this.clock,
      key: name,
      value,
      // What the server holds was not seen where a pending change hid it: who has made it should hear of this one.
      base: (key.merge ? undefined : ops.at(-1)?.base) ?? this.#memory.base.get(name)?.rev ?? 0,
      ...(key.merge ? { from: (absorbs ? last.from : shown) ?? null } : {}),
      writer,
    });
  }

  /** Gives ops that were made before the disk was read numbers above all that it holds: they are the latest. */
  renumber(): void {
    for (const op of [...this.own.values()]) {
      if (this.#frozen.has(op)) continue;
      this.#drop(op);
      this.#add({ ...op, seq: ++this.clock });
      this.renumberedTo = this.clock;
    }
  }

  freeze(ops: Iterable<Pending>): void {
    for (const op of ops) this.#frozen.add(op);
  }

  isFrozen(op: Pending): boolean {
    return this.#frozen.has(op);
  }

  /** Shows another tab's op, unless it is decided already. */
  hear(op: Pending): void {
    this.clock = Math.max(this.clock, op.seq);
    if (!this.isDecided(op)) this.#memory.add(op);
  }

  /**
   * Takes over the rows of other page loads, in place of those found before. What is decided of another profile than `own`,
   * only whoever sends it is told: it shows when it has come home.
   */
  adopt(rows: readonly OpRow[], own: string): void {
    this.others.clear();
    for (const { profile, writer, op } of rows) {
      const pending = { ...op, writer };
      if (this.isDecided(pending)) {
        this.#stale.push(rowName(pending));
        continue;
      }
      if (profile === own) this.hear(pending);
      const box = this.others.get(writer) ?? { profile, ops: [] };
      box.ops.push(pending);
      this.others.set(writer, box);
    }
  }

  isDecided({ writer, seq }: Pending): boolean {
    return seq <= (this.#decided.get(writer) ?? 0);
  }

  /** Own ops under one of this page load's names. */
  ownOf(writer: string): Pending[] {
    return [...this.own.values()].filter((op) => op.writer === writer);
  }

  /** What waits to be sent and is not shown, since it is of another profile than `own`. */
  unseen(own: string): Pending[] {
    return [...this.others.values()].flatMap(({ profile, ops }) => (profile === own ? [] : ops));
  }

  /**
   * What is known of another page load's ops, oldest first. Where the user has cleared the disk under a living page, the rows
   * that it has written since lack what it still waits for, and tells.
   */
  opsOf(writer: string): Pending[] {
    const rows = this.others.get(writer)?.ops ?? [];
    const last = rows.at(-1)?.seq ?? 0;
    const told = this.#memory.all().filter((op) => op.writer === writer && op.seq < last);
    const lacking = told.filter(({ seq }) => !rows.some((row) => row.seq === seq));
    return [...rows, ...lacking].sort((a, b) => a.seq - b.seq);
  }

  /** Counts as saved only what is there: the user may have cleared the disk. */
  recount(there: ReadonlySet<number>): void {
    for (const [op, complete] of this.saved) if (complete && !there.has(op.seq)) this.saved.delete(op);
  }

  /** Forgets a writer's ops up to `seq`, which the server has decided. Their rows are stale. */
  acknowledge(writer: string, seq: number): void {
    this.#decided.set(writer, Math.max(seq, this.#decided.get(writer) ?? 0));
    // Another page's row may never have reached the disk: what is written from here on is later all the same.
    this.clock = Math.max(this.clock, seq);
    const done = this.#memory.remove((op) => op.writer === writer && op.seq <= seq);
    for (const op of done) this.#forget(op);
    const box = this.others.get(writer);
    if (box) {
      this.#stale.push(...box.ops.filter((op) => op.seq <= seq).map(rowName));
      box.ops = box.ops.filter((op) => op.seq > seq);
      if (box.ops.length === 0) this.others.delete(writer);
    }
  }

  /** Own ops that may not be on disk: their transaction is not known to be complete. */
  unsafe(): Pending[] {
    return [...this.own.values()].filter((op) => this.#frozen.has(op) && !this.saved.get(op));
  }

  /** What the disk lacks, counted as saved from here on: rows to put, names to delete. `failed` takes both back. */
  takeUnsaved(): { fresh: Pending[]; stale: string[]; done: () => void; failed: () => void } {
    // One that may still be given another number must not leave a row under this one.
    const fresh = [...this.own.values()].filter((op) => this.#frozen.has(op) && !this.saved.has(op));
    const stale = this.#stale;
    this.#stale = [];
    for (const op of fresh) this.saved.set(op, false);
    return {
      fresh,
      stale,
      done: () => {
        for (const op of fresh) if (this.saved.has(op)) this.saved.set(op, true);
      },
      failed: () => {
        // The next attempt writes all: the rows on disk of one writer are always all of its ops up to some seq.
        this.saved.clear();
        this.#stale.push(...stale);
      },
    };
  }

  clear(): void {
    this.#memory.remove(() => true);
    this.own.clear();
    this.others.clear();
    this.saved.clear();
    this.#decided.clear();
    this.#stale = [];
  }

  #add(op: Pending): void {
    this.own.set(op.seq, op);
    this.#memory.add(op);
  }

  #drop(op: Pending): void {
    this.#memory.remove((one) => one === op, [op.key]);
    this.#forget(op);
  }

  #forget(op: Pending): void {
    this.saved.delete(op);
    // A frozen op may have a row, whether or not its transaction is known to be complete.
    if (this.#frozen.has(op)) this.#stale.push(rowName(op));
    if (this.own.get(op.seq) === op) this.own.delete(op.seq);
  }
}
