import {
  type AnyDefinition,
  applyOp,
  assertPlain,
  byteLength,
  decode,
  isSessionError,
  type Key,
  type Note,
  type Op,
  type Push,
  SessionError,
} from "@catnap/shared";
import type { Entry, EntryChange, SessionRecord } from "../store.ts";
import { hasEvicted, raiseWatermarks, readWatermarks, tellLoser } from "./watermarks.ts";

/** What a push does to a session: pure, so that a conflict in the store only means to do it again. */
export interface AppliedPush {
  readonly changes: ReadonlyMap<string, EntryChange>;
  readonly notes: readonly Note[];
  readonly acked: number;
  /** The tab knows of acknowledgements, or of a revision, that the session does not: the store has gone back in time. */
  readonly wentBack: boolean;
}

/**
 * Applies a push to the entries of a session. Ops up to the writer's watermark are skipped, so that a push may arrive
 * any number of times, through any tab; the rest are applied in order, and the watermark rises in the same commit.
 * `room` is how many bytes the session may still grow.
 */
export function applyPush(
  definition: AnyDefinition,
  { rev, entries }: Pick<SessionRecord, "rev" | "entries">,
  push: Push,
  room: number,
): AppliedPush {
  const marks = readWatermarks(push.profile, entries);
  const known = marks.writers[push.writer];
  const watermark = known ?? 0;
  const changes = new Map<string, EntryChange>();
  const notes: Note[] = [];
  const overwritten: [string, Entry][] = [];
  let left = room;
  // Without a watermark, an op may have been applied before the watermark was dropped: then only its base can tell.
  const dubious = (op: Op) => known === undefined && (op.seq <= marks.floor || (!marks.known && hasEvicted(entries)));
  const pending = push.ops.filter((op) => op.seq > watermark);
  /** Of these it is not certain that they were not applied: only whoever sent them is told. */
  const doubted = new Set<number>();
  const tell = ({ key, seq, value }: Op, what: Note["what"], why?: Pick<Note, "code" | "message">) =>
    notes.push({ key, writer: push.writer, seq, what, was: value, ...why });

  for (const op of pending) {
    const key = definition.keys.get(op.key);
    const stored = entries.get(op.key);
    if (key?.access !== "shared") {
      const code = key ? "FORBIDDEN_KEY" : "UNKNOWN_KEY";
      tell(op, "rejected", { code, message: `"${op.key}" is not a shared key` });
      continue;
    }
    if (dubious(op) && (stored?.rev ?? 0) !== op.base) {
      // It stands, or a later one of its writer does.
      if (stored?.writer === `${push.profile}/${push.writer}` && stored.seq >= op.seq) continue;
      doubted.add(op.seq);
      tell(op, "lost");
      continue;
    }
    const current = changes.get(op.key) ?? stored;
    // Between tabs of one profile the later edit stands, in whatever order they arrive. Who has seen the other is later.
    const unseen = !stored || stored.rev > op.base || changes.has(op.key);
    if (!key.merge && current && unseen && current.seq > op.seq && current.writer.startsWith(`${push.profile}/`))
      continue;
    try {
      const before = current?.value ?? null;
      const next = decide(key, op, before, definition.limits.valueBytes);
      const growth = byteLength(next ?? "") - byteLength(before ?? "");
      if (growth > left) {
        const message = `"${op.key}" does not fit: the session is full (limits.sessionBytes)`;
        tell(op, "rejected", { code: "LIMIT_EXCEEDED", message });
        continue;
      }
      left -= growth;
      if (!key.merge && stored && stored.rev > op.base && !changes.has(op.key)) overwritten.push([op.key, stored]);
      changes.set(op.key, { value: next, writer: `${push.profile}/${push.writer}`, seq: op.seq });
      if (key.merge && op.value !== null && op.from !== before) tell(op, "merged");
    } catch (error) {
      // One poison value is refused alone; anything that is no refusal is the server's own failure.
      if (!isSessionError(error)) throw error;
      tell(op, "rejected", { code: error.code, message: error.message });
    }
  }

  const acked = pending.length > 0 ? Math.max(watermark, push.upTo) : watermark;
  const resting = notes.filter(({ seq }) => !doubted.has(seq));
  raiseWatermarks(entries, changes, push, pending.length > 0 ? acked : null, resting);
  for (const [key, entry] of overwritten) tellLoser(push.profile, key, entry, entries, changes);
  return { changes, notes, acked, wentBack: watermark < push.acked || rev < push.since };
}

/** The value after an op, validated: what a browser sends is checked as if nobody had checked it before. */
function decide(key: Key, op: Op, current: string | null, room: number): string | null {
  if (op.value === null) return null;
  const value = key.encode(untangle(key, op.value, room));
  // What another version of the app has stored is no value of today's: no merge should be shown it.
  if (key.merge && current !== null && op.from !== current && fitting(key, current, room) === null) return value;
  // What the change was made from is a schema's value too, or nothing that a merge should be shown.
  const from = op.from == null || op.from === current ? op.from : fitting(key, op.from, room);
  return applyOp(key, from === undefined ? { ...op, value } : { ...op, value, from }, current);
}

/** Decodes what a browser sent. Its length is looked at first, then its shape, before any schema sees it. */
function untangle(key: Key, encoded: string, room: number): unknown {
  if (encoded.length > room) {
    throw new SessionError("LIMIT_EXCEEDED", `"${key.name}" takes more than limits.valueBytes (${room})`, {
      key: key.name,
    });
  }
  const value = decode(encoded, key.name);
  // superjson makes any graph, and JSON any depth: a recursive schema would exhaust the stack, or the afternoon.
  assertPlain(value, key.name, room);
  return value;
}

function fitting(key: Key, encoded: string, room: number): string | null {
  try {
    return key.encode(untangle(key, encoded, room));
  } catch (error) {
    if (!isSessionError(error)) throw error;
    return null;
  }
}
