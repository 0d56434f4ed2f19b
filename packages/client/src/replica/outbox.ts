import type { Key } from "@catnap/shared";
import type { Memory, Pending } from "./memory.ts";
import { type OpRow, rowName } from "./rows.ts";

/**
 * This tab's unacknowledged ops, and those that it found on disk. An op that has been on disk, on the wire or told to
 * a sibling is frozen: it is only followed, since its first half may have taken effect already.
 */
export class Outbox {
  /** The highest seq seen. */
  clock = 0;
  /** Ops by seq, oldest first. */
  readonly own: Map<number, Pending> = new Map();
  /** Rows of other page loads, by writer: each is complete up to its last. */
  readonly others: Map<string, Pending[]> = new Map();
  /** How far each writer's ops are decided: a row or a message that is late must not bring one back. */
  readonly #decided = new Map<string, number>();
  /** Siblings' ops of which the disk knows nothing; one that is told anew is another object, and not among them. */
  readonly doubted: Set<Pending> = new Set();
  /** By writer, ops that are not, or that the last answer has left, since that server knows another version of the app. */
  readonly #waiting = new Map<string, readonly number[]>();
  readonly #memory: Memory;
  /** Own ops that nobody has seen yet. */
  readonly #fresh = new Set<Pending>();
  /** Frozen own ops that the disk lacks. */
  readonly #unsaved = new Set<Pending>();
  /** Those whose row is in a transaction that is not complete. */
  readonly #saving = new Set<Pending>();
  /** Names of rows that are still to be deleted. */
  #stale: string[] = [];

  readonly #now: () => number;

  constructor(memory: Memory, now: () => number) {
    this.#memory = memory;
    this.#now = now;
  }

  /** Makes an op of a change. A key without a merge keeps its latest op alone; one with a merge a chain of them. */
  write(key: Key, value: string | null, writer: string): void {
    const { name } = key;
    const current = this.#memory.get(name);
    const ops = this.#memory.ops(name);
    const last = key.merge ? ops.at(-1) : ops.findLast((op) => op.writer === writer);
    // A chain's last link takes the change in only while nobody has seen it and nothing else is mixed into `current`.
    const absorbs = last?.writer === writer && (!key.merge || (this.#fresh.has(last) && last.value === current));
    if (absorbs) this.#drop(last);
    const shown = key.merge && current !== null ? this.#memory.shown(key, current) : null;
    const op = {
      // The browser's latest, though its tabs may not have told each other what they wrote.
      seq: this.#tick(),
      key: name,
      value,
      // What the server holds was not seen where a pending change hid it: who has made it should hear of this one.
      base: (key.merge ? undefined : ops.at(-1)?.base) ?? this.#memory.base.get(name)?.rev ?? 0,
      ...(key.merge ? { from: (absorbs ? last.from : shown) ?? null } : {}),
      writer,
    };
    this.#memory.trust(op);
    this.add(op);
  }

  freeze(ops: Iterable<Pending>): void {
    for (const op of ops) if (this.#fresh.delete(op)) this.#unsaved.add(op);
  }

  /** Own ops that nobody has seen yet. */
  fresh(): Pending[] {
    return [...this.#fresh];
  }

  /** Own ops that others may have seen. */
  frozen(): Pending[] {
    return [...this.own.values()].filter((op) => !this.#fresh.has(op));
  }

  /** Shows another tab's op, unless it is decided already. */
  hear(op: Pending): void {
    this.clock = Math.max(this.clock, op.seq);
    if (!this.isDecided(op)) this.#memory.add(op);
  }

  /** Takes over the rows of other page loads, in place of those found before. */
  adopt(rows: readonly OpRow[]): void {
    this.others.clear();
    for (const { writer, op } of rows) {
      const pending = { ...op, writer };
      if (this.isDecided(pending)) {
        this.#stale.push(rowName(pending));
        continue;
      }
      this.hear(pending);
      const rows = this.others.get(writer) ?? [];
      rows.push(pending);
      this.others.set(writer, rows);
    }
  }

  isDecided(op: Pending): boolean {
    return op.seq <= (this.#decided.get(op.writer) ?? 0) && !this.isWaiting(op);
  }

  /** Whether the server that answered last does not know the op's key. */
  isWaiting({ writer, seq }: Pending): boolean {
    return !!this.#waiting.get(writer)?.includes(seq);
  }

  /** How far a writer's ops are decided once this one is, and those that are not. */
  without({ writer, seq }: Pending): [acked: number, left: readonly number[]] {
    const left = (this.#waiting.get(writer) ?? []).filter((one) => one !== seq);
    return [Math.max(seq, this.#decided.get(writer) ?? 0), left];
  }

  /** Whether an op of this page load, or one that it has found, could go home now. */
  get isDue(): boolean {
    return [[...this.own.values()], ...this.others.values()].flat().some((op) => !this.isWaiting(op));
  }

  /** The ops under one of this page load's names, or the rows of another page load; oldest first. */
  opsOf(writer: string): readonly Pending[] {
    return this.others.get(writer) ?? [...this.own.values()].filter((op) => op.writer === writer);
  }

  /** Forgets a writer's ops up to `seq`, which the server has decided, but for those that are `left`. Their rows are stale. */
  acknowledge(writer: string, seq: number, left: readonly number[] = []): void {
    const known = this.#decided.get(writer) ?? 0;
    const before = this.#waiting.get(writer) ?? [];
    // An answer that is behind may be news of what waits: a server that refused a later change, and begins no session for that,
    // remembers nothing of it, and the next one takes what waited.
    const isLate = seq < known;
    if (isLate && before.length === 0) return;
    // Who has decided some of what waited may decide the rest, which is to be sent at once.
    const knows = before.some((one) => one <= seq && !left.includes(one));
    // Of two answers that came so far, what either has decided is; what comes later is news to neither.
    const waits = [
      ...left.filter((one) => (one > known && !isLate) || before.includes(one)),
      ...before.filter((one) => one > seq && (!knows || one <= known)),
    ];
    if (waits.length > 0) this.#waiting.set(writer, waits);
    else this.#waiting.delete(writer);
    this.#decided.set(writer, Math.max(seq, known));
    // Another page's row may never have reached the disk: what is written from here on is later all the same.
    this.clock = Math.max(this.clock, seq);
    const isDone = (op: Pending) => op.writer === writer && this.isDecided(op);
    for (const op of this.#memory.remove(isDone)) this.#forget(op);
    const rows = this.others.get(writer) ?? [];
    const rest = rows.filter((op) => !isDone(op));
    this.#stale.push(...rows.filter(isDone).map(rowName));
    if (rest.length > 0) this.others.set(writer, rest);
    else this.others.delete(writer);
  }

  /** Own ops that may not be on disk: their transaction is not known to be complete. */
  unsafe(): Pending[] {
    return [...this.#saving, ...this.#unsaved];
  }

  /** The disk has nothing of these ops, or what it has is to be written anew. */
  rebind(): void {
    for (const op of this.frozen()) this.#unsaved.add(op);
  }

  /**
   * Gives `write` what the disk lacks: rows to put, names to delete. They count as saved once `write` has returned, since a
   * browser may end the script of a page that ends, and are given again when its promise rejects.
   */
  save(
    write: (fresh: readonly Pending[], stale: readonly string[]) => Promise<void> | undefined,
  ): Promise<void> | undefined {
    const fresh = [...this.#unsaved];
    const stale = this.#stale;
    const written = write(fresh, stale);
    this.#stale = [];
    this.#unsaved.clear();
    for (const op of fresh) this.#saving.add(op);
    const done = () => {
      for (const op of fresh) this.#saving.delete(op);
    };
    return written?.then(done, () => {
      done();
      // The next attempt writes all: the rows on disk of one writer are always all of its ops up to some seq.
      this.rebind();
      this.#stale.push(...stale);
    });
  }

  /** The server was asked after these were doubted: what no sibling has told anew was decided before. */
  dropDoubted(asked: ReadonlySet<Pending>): void {
    const gone = this.#memory.remove((op) => asked.has(op));
    for (const op of asked) this.doubted.delete(op);
    if (gone.length > 0) this.#memory.settle();
  }

  clear(): void {
    this.#memory.remove(() => true);
    this.own.clear();
    this.others.clear();
    for (const ops of [this.#fresh, this.#unsaved, this.#saving]) ops.clear();
    this.#decided.clear();
    this.#waiting.clear();
    this.#stale = [];
  }

  #tick(): number {
    this.clock = Math.max(this.clock + 1, this.#now());
    return this.clock;
  }

  /** Takes an op of this page load's own. */
  add(op: Pending): void {
    this.own.set(op.seq, op);
    this.#fresh.add(op);
    this.#memory.add(op);
  }

  #drop(op: Pending): void {
    this.#memory.remove((one) => one === op, [op.key]);
    this.#forget(op);
  }

  #forget({ seq, writer }: Pending): void {
    // What two tabs have taken along from one session has one name: a sibling may have told of it in the place of this one.
    const op = this.own.get(seq);
    if (op?.writer !== writer) return;
    this.own.delete(seq);
    // A frozen op may have a row, whether or not its transaction is known to be complete.
    if (!this.#fresh.delete(op)) this.#stale.push(rowName(op));
    this.#unsaved.delete(op);
    this.#saving.delete(op);
  }
}
