import {
  type AnyDefinition,
  byteLength,
  isSessionError,
  type Key,
  type Note,
  type Op,
  type Push,
  SessionError,
} from "@catnap/shared";
import type { EntryChange, SessionRecord } from "../stores/store.ts";
import { lensOf } from "../versions/lens.ts";
import { type Decision, PushedValue, readValue } from "./pushed-value.ts";
import {
  hasEvicted,
  maxUndecided,
  type Overwritten,
  raiseWatermarks,
  readWatermarks,
  tellLoser,
} from "./watermarks.ts";

/** What a push does to a session: pure, so that a conflict in the store only means to do it again. */
export interface AppliedPush {
  readonly changes: ReadonlyMap<string, EntryChange>;
  readonly notes: readonly Note[];
  /** The writer's ops up to here are decided. Below the push's `upTo` when it asked for more work than one push gets. */
  readonly acked: number;
  /** But for these, and for the first ones after, which wait for a process that knows their keys. */
  readonly undecided: readonly number[];
  /** The tab knows of acknowledgements, or of a revision, that the session does not: the store has gone back in time. */
  readonly wentBack: boolean;
}

/** The ops of one key with a merge, and what they make of its value. */
interface Chain {
  readonly key: Key;
  /** The encoded value that the push has met. */
  readonly before: string | null;
  readonly value: PushedValue;
  readonly done: { readonly op: Op; readonly decision: Decision }[];
}

/**
 * How many UTF-16 units the merges of a push may go through: so many, and so many for each unit of its own. A browser's
 * change carries the whole value, before and after, and so pays for its merge. But a small op may ask to be merged with the
 * largest value that there is: what is over stays undecided, and comes again.
 */
const mergeUnits = 131_072;
const mergeUnitsEach = 2;

/**
 * Applies a push to the entries of a session. Ops up to the writer's watermark are skipped, so that a push may arrive
 * any number of times, through any tab; the rest are applied in order, and the watermark rises in the same commit.
 * `room` is how many bytes the session may still grow. The work is linear in the length of the push.
 */
export function applyPush(
  definition: AnyDefinition,
  stored: Pick<SessionRecord, "identifier" | "rev" | "entries">,
  push: Push,
  room: number,
): AppliedPush {
  const { rev, entries } = stored;
  const marks = readWatermarks(push.profile, stored);
  const known = marks.writers.get(push.writer);
  const watermark = known ?? 0;
  const { valueBytes } = definition.limits;
  const lens = lensOf(definition);
  const changes = new Map<string, EntryChange>();
  const chains = new Map<string, Chain>();
  const notes: Note[] = [];
  /** By key, what an op has overwritten that its maker had not seen. */
  const overwritten = new Map<string, Overwritten>();
  let left = room;
  // Without a watermark, an op may have been applied before the watermark was dropped: then only its base can tell.
  const dubious = (op: Op) => known === undefined && (op.seq <= marks.floor || (!marks.known && hasEvicted(stored)));
  const ops = withFrom(push.ops);
  const waited = marks.undecided.get(push.writer) ?? [];
  const pending = ops.filter(({ seq }) => seq > watermark || waited.includes(seq));
  // A late push knows nothing of what waits since.
  const waiting = waited.filter((seq) => seq > push.upTo);
  /** Of these it is not certain that they were not applied: only whoever sent them is told. */
  const doubted = new Set<number>();
  const tell = ({ key, seq, value }: Op, what: Note["what"], why?: Pick<Note, "code" | "message">) =>
    notes.push({ key, writer: push.writer, seq, what, was: value, ...why });
  const reject = (op: Op, error: unknown) => {
    // One poison value is refused alone; anything that is no refusal is the server's own failure.
    if (!isSessionError(error)) throw error;
    tell(op, "rejected", { code: error.code, message: error.message });
  };
  /** Puts a decided value into the commit. Throws `LIMIT_EXCEEDED` when the session has no room for it. */
  const put = (op: Op, next: string | null, before: string | null) => {
    const growth = byteLength(next ?? "") - byteLength(before ?? "");
    // A session that a lower limit has made too large may shrink, step by step.
    if (growth > 0 && growth > left) throw full(definition.keys.get(op.key)?.label ?? op.key);
    left -= growth;
    changes.set(op.key, { value: next, writer: `${push.profile}/${push.writer}`, seq: op.seq });
  };

  let work = mergeUnits + mergeUnitsEach * lengthOf(ops);
  let stopped: Op | undefined;
  /** The last op that is decided. */
  let last = watermark;
  for (const op of pending) {
    const key = definition.keys.get(op.key);
    if (work <= 0 && op !== pending[0]) {
      stopped = op;
      break;
    }
    // Another version of the app has it: a process of that one may decide. What comes after so many of them waits with them.
    if ((!key && !definition.dropped.includes(op.key)) || waiting.length >= maxUndecided) {
      waiting.push(op.seq);
      continue;
    }
    last = Math.max(last, op.seq);
    const entry = entries.get(op.key);
    if (key?.access !== "shared") {
      const code = key ? "FORBIDDEN_KEY" : "UNKNOWN_KEY";
      const why = key ? "is not a shared key: the server alone writes it" : "was dropped by this version of the app";
      tell(op, "rejected", { code, message: `"${key?.label ?? op.key}" ${why}` });
      continue;
    }
    if (dubious(op) && (entry?.rev ?? 0) !== op.base) {
      // It stands, or a later one of its writer does, or somebody has chosen the same.
      if (entry?.writer === `${push.profile}/${push.writer}` && entry.seq >= op.seq) continue;
      if (!key.merge && (entry?.value ?? null) === op.value) continue;
      doubted.add(op.seq);
      tell(op, "lost");
      continue;
    }
    const sight = lens.look(op.key, entries);
    try {
      // Nothing takes the place of what this version cannot read: its owner has not been asked.
      if (sight.unfit) throw sight.unfit;
      if (key.merge) {
        let chain = chains.get(op.key);
        chain ??= { key, before: sight.value, value: new PushedValue(key, sight.value, valueBytes), done: [] };
        chains.set(op.key, chain);
        const { weight } = chain.value;
        const decision = chain.value.apply(op);
        if (decision === "merged") work -= weight + (op.value?.length ?? 0);
        chain.done.push({ op, decision });
        continue;
      }
      const current = changes.get(op.key) ?? entry;
      // Between tabs of one profile the later edit stands, in whatever order they arrive. Who has seen the other is later.
      const unseen = !entry || entry.rev > op.base || changes.has(op.key);
      if (current && unseen && current.seq > op.seq && current.writer.startsWith(`${push.profile}/`)) continue;
      const before = changes.has(op.key) ? (current?.value ?? null) : sight.value;
      const next = op.value === null ? null : readValue(key, op.value, before, valueBytes);
      put(op, next, before);
      if (!entry || entry.rev <= op.base) continue;
      // Who has chosen the same has lost nothing.
      if (entry.value === next) overwritten.delete(op.key);
      else overwritten.set(op.key, { key: op.key, by: entry.writer, seq: entry.seq, value: entry.value });
    } catch (error) {
      reject(op, error);
    }
  }
  for (const chain of chains.values()) settle(chain, valueBytes, { put, reject, merged: (op) => tell(op, "merged") });
  notes.sort((a, b) => a.seq - b.seq);

  let upTo = stopped === undefined ? push.upTo : stopped.seq - 1;
  // Behind the last one that is decided nothing has to be remembered.
  if (waiting.some((seq) => seq > last)) upTo = last;
  const acked = pending.length > 0 ? Math.max(watermark, upTo) : watermark;
  const undecided = waiting.filter((seq) => seq <= acked);
  const isRaised = acked !== watermark || String(undecided) !== String(waited);
  const resting = notes.filter(({ seq }) => !doubted.has(seq));
  raiseWatermarks(stored, changes, push, pending.length > 0 && isRaised ? { upTo: acked, undecided } : null, resting);
  for (const lost of overwritten.values()) tellLoser(push.profile, lost, stored, changes);
  return { changes, notes, acked, undecided: waiting, wentBack: watermark < push.acked || rev < push.since };
}

interface Outcomes {
  put(op: Op, next: string | null, before: string | null): void;
  reject(op: Op, error: unknown): void;
  merged(op: Op): void;
}

/** Decides the ops of one key as a whole, or, when the outcome is refused, one by one, so that the culprit alone is. */
function settle({ key, before, value, done }: Chain, room: number, outcomes: Outcomes): void {
  const { put, reject, merged } = outcomes;
  const last = done.at(-1);
  if (!last) return;
  try {
    put(last.op, value.encoded(), before);
    for (const { op, decision } of done) if (decision === "merged") merged(op);
    return;
  } catch (error) {
    if (!isSessionError(error)) throw error;
    if (done.length === 1) return reject(last.op, error);
  }
  let current = before;
  for (const { op } of done) {
    try {
      const alone = new PushedValue(key, current, room);
      const decision = alone.apply(op);
      const next = alone.encoded();
      put(op, next, current);
      current = next;
      if (decision === "merged") merged(op);
    } catch (error) {
      reject(op, error);
    }
  }
}

function full(key: string): SessionError {
  return new SessionError("LIMIT_EXCEEDED", `"${key}" does not fit: the session is full (limits.sessionBytes)`, {
    key,
  });
}

/** Gives each op the value before that it leaves out: what the op before it has set, whatever became of that. */
function withFrom(ops: readonly Op[]): Op[] {
  const values = new Map<string, string | null>();
  return ops.map((op) => {
    const { key, from = values.get(key) ?? null } = op;
    values.set(key, op.value);
    return { ...op, from };
  });
}

function lengthOf(ops: readonly Op[]): number {
  return ops.reduce((sum, { value, from }) => sum + (value?.length ?? 0) + (from?.length ?? 0), 0);
}
