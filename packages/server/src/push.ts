import {
  type Answer,
  type AnyDefinition,
  applyOp,
  assertPlain,
  byteLength,
  checksum,
  decode,
  differ,
  isSessionError,
  type Key,
  type Note,
  type Op,
  type Previous,
  type Push,
  protocol,
  SessionError,
  type SessionFacts,
  type SyncFailure,
  type SyncSuccess,
  type WireEntry,
} from "@catnap/shared";
import { identifierOf } from "./credentials.ts";
import type { Entry, EntryChange, SessionRecord } from "./store.ts";
import { expiresAt } from "./store.ts";

/** Entries under this prefix hold, for one browser profile each, how far its writers' ops are decided. */
const marksPrefix = "~sync:";
/** Present once a profile's marks had to go: from then on an unknown profile is not taken for a new one. */
const evictedKey = "~evicted";
const maxWriters = 32;
const maxProfiles = 16;
/** Of how many overwritten changes a profile hears at its next pull, and up to which length it hears what they were. */
const maxLost = 8;
const maxLostLength = 4096;

/** The watermarks of one browser profile. */
interface Marks {
  /** Ops of forgotten writers went at most this far. */
  readonly floor: number;
  /** By writer: every op up to here is decided. */
  readonly writers: Readonly<Record<string, number>>;
  /** Changes that another device has overwritten without having seen them; the profile has not been told yet. */
  readonly lost: readonly Note[];
}

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
  const marksKey = marksPrefix + push.profile;
  const marksEntry = entries.get(marksKey);
  const marks = readMarks(marksEntry);
  const known = marks.writers[push.writer];
  const watermark = known ?? 0;
  const changes = new Map<string, EntryChange>();
  const notes: Note[] = [];
  const overwritten: [string, Entry][] = [];
  let left = room;
  // Without a watermark, an op may have been applied before the watermark was dropped: then only its base can tell.
  const dubious = (op: Op) =>
    known === undefined && (op.seq <= marks.floor || (marksEntry === undefined && entries.has(evictedKey)));
  const pending = push.ops.filter((op) => op.seq > watermark);

  for (const op of pending) {
    const key = definition.keys.get(op.key);
    const stored = entries.get(op.key);
    if (key?.access !== "shared") {
      const code = key ? "FORBIDDEN_KEY" : "UNKNOWN_KEY";
      notes.push({ key: op.key, seq: op.seq, what: "rejected", code, message: `"${op.key}" is not a shared key` });
      continue;
    }
    if (dubious(op) && (stored?.rev ?? 0) !== op.base) {
      notes.push({ key: op.key, seq: op.seq, what: "lost" });
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
        notes.push({ key: op.key, seq: op.seq, what: "rejected", code: "LIMIT_EXCEEDED", message });
        continue;
      }
      left -= growth;
      if (!key.merge && stored && stored.rev > op.base && !changes.has(op.key)) overwritten.push([op.key, stored]);
      changes.set(op.key, { value: next, writer: `${push.profile}/${push.writer}`, seq: op.seq });
      if (key.merge && op.value !== null && op.from !== before)
        notes.push({ key: op.key, seq: op.seq, what: "merged" });
    } catch (error) {
      // One poison value is refused alone; anything that is no refusal is the server's own failure.
      if (!isSessionError(error)) throw error;
      notes.push({ key: op.key, seq: op.seq, what: "rejected", code: error.code, message: error.message });
    }
  }

  const acked = pending.length > 0 ? Math.max(watermark, push.upTo) : watermark;
  const heard = push.since >= (marksEntry?.rev ?? 0);
  const next = nextMarks(heard ? { ...marks, lost: [] } : marks, push, pending.length > 0 ? acked : null);
  if (next) changes.set(marksKey, { value: formatMarks(next), writer: "server", seq: 0 });
  for (const [key, entry] of overwritten) tellLoser(push.profile, key, entry, entries, changes);
  if (next && !marksEntry) evictProfiles(entries, changes);
  return { changes, notes, acked, wentBack: watermark < push.acked || rev < push.since };
}

/** The value after an op, validated: what a browser sends is checked as if nobody had checked it before. */
function decide(key: Key, op: Op, current: string | null, room: number): string | null {
  if (op.value === null) return null;
  const value = key.encode(untangle(key, op.value, room));
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

function nextMarks(marks: Marks, push: Push, reached: number | null): Marks | null {
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
  return reached === null && retired.length === 0 ? null : { ...marks, floor, writers };
}

/** Leaves a note for the other device whose change was overwritten: it hears of it with its next answer. */
function tellLoser(
  winner: string,
  key: string,
  { writer, seq, value }: Entry,
  entries: ReadonlyMap<string, Entry>,
  changes: Map<string, EntryChange>,
): void {
  const [profile = ""] = writer.split("/");
  const name = marksPrefix + profile;
  const marks = readMarks(changes.get(name) ?? entries.get(name));
  if (profile === winner || !entries.has(name)) return;
  const note: Note = { key, seq, what: "lost", ...((value?.length ?? 0) <= maxLostLength ? { was: value } : {}) };
  const lost = [...marks.lost, note].slice(-maxLost);
  changes.set(name, { value: formatMarks({ ...marks, lost }), writer: "server", seq: 0 });
}

/** Makes room for one more profile: the marks that were written longest ago go, and a sign stays. */
function evictProfiles(entries: ReadonlyMap<string, Entry>, changes: Map<string, EntryChange>): void {
  const profiles = [...entries].filter(([name]) => name.startsWith(marksPrefix));
  if (profiles.length < maxProfiles) return;
  profiles.sort(([, a], [, b]) => a.rev - b.rev);
  for (const [name] of profiles.slice(0, profiles.length - maxProfiles + 1)) {
    changes.set(name, { value: undefined, writer: "server", seq: 0 });
  }
  changes.set(evictedKey, { value: "1", writer: "server", seq: 0 });
}

function readMarks(entry: Pick<EntryChange, "value"> | undefined): Marks {
  if (entry?.value == null) return { floor: 0, writers: {}, lost: [] };
  const { f, w, l } = JSON.parse(entry.value) as { f: number; w: Record<string, number>; l?: Note[] };
  return { floor: f, writers: Object.assign(Object.create(null) as Record<string, number>, w), lost: l ?? [] };
}

function formatMarks({ floor, writers, lost }: Marks): string {
  return JSON.stringify({ f: floor, w: writers, ...(lost.length > 0 ? { l: lost } : {}) });
}

/** What a push meets: the session that its request's cookie opens, or what became of the one that the cookie names. */
export interface Met {
  readonly record: SessionRecord | null;
  readonly previous: Previous;
  /** The identifier in the cookie. */
  readonly named: string | null;
}

/**
 * Answers a push that must not be applied to the session at hand: one of another protocol, of another session, or one
 * whose tab does not know yet which session it has. `null`: apply it. Asked before anything of the push is read.
 */
export function screenPush(
  definition: AnyDefinition,
  { record, previous, named }: Met,
  push: Push,
  now: number,
): Answer | null {
  if (push.protocol !== protocol) return refusal("PROTOCOL_MISMATCH");
  const gone = () => refusal(previous === "expired" ? "SESSION_EXPIRED" : "SESSION_GONE");
  if (push.identifier === null) {
    const own = push.nonce === undefined ? null : identifierOf(push.nonce);
    // The session that this nonce makes was made, and has ended: it is not made again.
    if (!record && push.ops.length > 0 && named !== null && named === own) return gone();
    if (!record || record.identifier === own) return null;
    // The cookie names a session that the tab has not met: it learns of it, binds its ops to it, and pushes again.
    return answerPush(definition, record, { ...push, ops: [] }, { notes: [], acked: 0, wentBack: false }, now);
  }
  if (record?.identifier === push.identifier) return null;
  if (record) return refusal("SESSION_REPLACED");
  return gone();
}

const refusals: Readonly<Record<SyncFailure["code"], string>> = {
  PROTOCOL_MISMATCH: `This server speaks protocol ${protocol}: reload the page to get its client`,
  SESSION_REPLACED: "The browser has another session now: nothing was applied",
  SESSION_EXPIRED: "The session has expired: nothing was applied",
  SESSION_GONE: "The session has ended: nothing was applied",
  HEADERS_SENT:
    "A first session needs a cookie, but a streaming response has sent its headers: push over a link that does not stream",
};

/** An answer that ends the tab's session, or asks for another way. */
export function refusal(code: SyncFailure["code"]): SyncFailure {
  return { ok: false, code, message: refusals[code] };
}

/** The answer to a push, from the record as it stands after the commit. */
export function answerPush(
  definition: AnyDefinition,
  record: SessionRecord,
  push: Push,
  outcome: Pick<AppliedPush, "notes" | "acked" | "wentBack">,
  now: number,
): SyncSuccess {
  const reset = outcome.wentBack || push.since > record.rev || differs(definition, record, push);
  const sent = new Map(push.ops.map((op) => [op.key, op.value]));
  const entries: Record<string, WireEntry> = {};
  const deleted: Record<string, number> = {};
  for (const [name, { value, rev, writer, seq }] of record.entries) {
    const key = definition.keys.get(name);
    if (!key || key.access === "secret" || (rev <= push.since && !reset)) continue;
    if (value === null) {
      if (!reset) deleted[name] = rev;
      continue;
    }
    const echo =
      writer === `${push.profile}/${push.writer}` && sent.get(name) === value && push.ops.some((op) => op.seq === seq);
    entries[name] = echo ? { rev } : { value, rev };
  }
  const marksEntry = record.entries.get(marksPrefix + push.profile);
  const { writers, lost } = readMarks(marksEntry);
  return {
    ok: true,
    identifier: record.identifier,
    rev: record.rev,
    acked: outcome.acked,
    decided: { ...writers },
    entries,
    deleted,
    ...(reset ? { reset } : {}),
    notes: marksEntry && marksEntry.rev > push.since ? [...outcome.notes, ...lost] : outcome.notes,
    facts: factsOf(record, now),
  };
}

/** Checksums of entries, which are never changed: most stores give the same ones with every request. */
const checksums = new WeakMap<SessionRecord["entries"], string>();

/** Whether a tab that seems to be up to date is not. */
function differs(definition: AnyDefinition, { rev, entries }: SessionRecord, push: Push): boolean {
  if (push.checksum === undefined || push.since !== rev) return false;
  let known = checksums.get(entries);
  if (known === undefined) {
    const values: [string, string][] = [];
    for (const [name, { value }] of entries) {
      const key = definition.keys.get(name);
      if (value !== null && key && key.access !== "secret") values.push([name, value]);
    }
    known = checksum(definition, values);
    checksums.set(entries, known);
  }
  return differ(known, push.checksum);
}

/** Whether anything after `since` is not of the browser with this profile itself, which knows it already. */
export function isNewsTo(record: SessionRecord, profile: string, since: number): boolean {
  if (record.rev < since) return true;
  for (const [name, { rev, writer }] of record.entries) {
    if (rev > since && !name.startsWith("~") && !writer.startsWith(`${profile}/`)) return true;
  }
  return false;
}

/** What changed since the revision that a browser knows, as the answer to a push of no ops. */
export function answerChanges(
  definition: AnyDefinition,
  record: SessionRecord,
  { identifier, profile, writer, since }: Pick<Push, "identifier" | "profile" | "writer" | "since">,
  now: number,
): SyncSuccess {
  const { writers } = readMarks(record.entries.get(marksPrefix + profile));
  const push = { protocol, identifier, profile, writer, ops: [], upTo: 0, since, acked: 0 };
  return answerPush(definition, record, push, { notes: [], acked: writers[writer] ?? 0, wentBack: false }, now);
}

/** How far the ops of every writer are decided, of whatever profile. */
export function decidedIn(entries: ReadonlyMap<string, Entry>): Record<string, number> {
  const decided: Record<string, number> = {};
  for (const [name, entry] of entries)
    if (name.startsWith(marksPrefix)) Object.assign(decided, readMarks(entry).writers);
  return decided;
}

/** What a browser may know of its session besides the values. */
export function factsOf(record: SessionRecord, now: number): SessionFacts {
  return {
    createdAgo: (now - record.createdAt) / 1000,
    accessedAgo: (now - record.accessedAt) / 1000,
    transactions: record.transactions,
    timeout: record.timeoutMs / 1000,
    expiresIn: (expiresAt(record) - now) / 1000,
  };
}
