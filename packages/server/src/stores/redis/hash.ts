import type { Entry, SessionRecord, StoreKey } from "../store.ts";
import { server } from "./commit.ts";
import { UnreadableSession } from "./errors.ts";
import { strange, textOf } from "./replies.ts";

// Reads a session out of its hash, as `scripts.ts` describes it. Whatever the hash holds, and whatever a client makes
// of it, this ends: what no commit has written is an `UnreadableSession`.

/** `NaN` for what is no number. */
function decimal(text: string): number {
  const number = /\S/.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(number) ? number : Number.NaN;
}

/** A time or a stamp, as `brief` has written it; `NaN` for what it never wrote. */
export function fromBrief(text: string): number {
  if (text.startsWith(":")) return decimal(text.slice(1));
  return /^[0-9a-z]+$/.test(text) ? Number.parseInt(text, 36) : Number.NaN;
}

/** `undefined` for what no commit has written. A value may be long: only what is before it is looked through. */
function parseEntry(text: string): Entry | undefined {
  const [head, digits, ownSign, seqText = "", sign = "", length] =
    /^(\d{1,16})(?:([+-])| ([^ ]{1,32}) ([+-])(\d{1,9}) )/.exec(text) ?? [];
  if (head === undefined) return undefined;
  const rev = Number(digits);
  if (ownSign !== undefined)
    return { value: ownSign === "-" ? null : text.slice(head.length), rev, writer: server, seq: 0 };
  const endOfWriter = head.length + Number(length);
  const seq = decimal(seqText);
  if (endOfWriter > text.length || Number.isNaN(seq)) return undefined;
  const value = sign === "-" ? null : text.slice(endOfWriter);
  return { value, rev, writer: text.slice(head.length, endOfWriter), seq };
}

type Meta = Omit<SessionRecord, "identifier" | "entries">;

/** What belongs to all of a session, of the fields `m` and, where it is somebody's, `u`. */
export function parseMeta(identifier: StoreKey, m: unknown, u: unknown): { meta: Meta; stamp: number } {
  const fields = textOf(m, identifier).split(" ");
  const [stamp = "", rev = "", sinceCreation = "", timeout = "", count = "", early = "", created = "", lifetime = ""] =
    fields;
  const times = [stamp, timeout, created, lifetime].map(fromBrief);
  const numbers = [rev, sinceCreation, count, early].map(decimal);
  if (fields.length !== 8 || [...times, ...numbers].some(Number.isNaN)) {
    throw UnreadableSession.malformed(identifier, "the field m");
  }
  // As many as the lists above have.
  const [stampNumber, timeoutMs, createdAt, lifetimeMs] = times as [number, number, number, number];
  const [revNumber, accessed, transactions] = numbers as [number, number, number, number];
  return {
    stamp: stampNumber,
    meta: {
      rev: revNumber,
      accessedAt: createdAt + accessed,
      timeoutMs,
      transactions,
      createdAt,
      endsAt: createdAt + lifetimeMs,
      ...parseWhose(identifier, u),
    },
  };
}

/** Whose a session is, and since when: nobody's where the field `u` is absent. */
function parseWhose(identifier: StoreKey, u: unknown): Pick<Meta, "subject" | "authenticatedAt"> {
  if (u === null || u === undefined) return { subject: null, authenticatedAt: null };
  const [, since = "", subject = ""] = /^([^ ]+) (-$|=[\s\S]*)/.exec(textOf(u, identifier)) ?? [];
  const authenticatedAt = since === "-" ? null : fromBrief(since);
  if (subject === "" || Number.isNaN(authenticatedAt)) throw UnreadableSession.malformed(identifier, "the field u");
  return { subject: subject === "-" ? null : subject.slice(1), authenticatedAt };
}

/** A hash comes as a list of names and values, a Map or an object, by protocol and client. */
function pairsOf(identifier: StoreKey, reply: unknown): Iterable<readonly [unknown, unknown]> {
  if (reply === null) return [];
  if (reply instanceof Map) return reply;
  if (Array.isArray(reply) && reply.length % 2 === 0) {
    return Array.from({ length: reply.length / 2 }, (_, i) => [reply[2 * i], reply[2 * i + 1]]);
  }
  if (typeof reply === "object" && !Array.isArray(reply) && !(reply instanceof Uint8Array))
    return Object.entries(reply);
  throw strange(reply, identifier);
}

/** Reads an entry's field. Its name is not told: Catnap's own may hold hashes of tokens. */
function toEntry(identifier: StoreKey, content: unknown): Entry {
  const entry = parseEntry(textOf(content, identifier));
  if (!entry) throw UnreadableSession.malformed(identifier, "an entry");
  return entry;
}

/** Values of entries by their names, of what the server holds of each; those that are absent or tombstones are missing. */
export function toValues(
  identifier: StoreKey,
  names: readonly string[],
  contents: readonly unknown[],
): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  names.forEach((name, i) => {
    const content = contents[i] ?? null;
    const value = content === null ? null : toEntry(identifier, content).value;
    if (value !== null) values.set(name, value);
  });
  return values;
}

/** A session whose entries are known, of its fields `m` and `u`, and its stamp. */
export function toKnown(
  identifier: StoreKey,
  [m, u]: readonly [m: unknown, u: unknown],
  entries: ReadonlyMap<string, Entry>,
): { record: SessionRecord; stamp: number } {
  const { meta, stamp } = parseMeta(identifier, m, u);
  return { record: { identifier, ...meta, entries }, stamp };
}

/** A session's hash as a record, and its stamp; `null` where there is none. */
export function toRecord(identifier: StoreKey, reply: unknown): { record: SessionRecord; stamp: number } | null {
  let m: unknown;
  let u: unknown;
  let fields = 0;
  const entries = new Map<string, Entry>();
  for (const [field, content] of pairsOf(identifier, reply)) {
    const name = textOf(field, identifier);
    fields++;
    if (name === "m") m = content;
    else if (name === "u") u = content;
    else if (name.startsWith("~")) entries.set(name, toEntry(identifier, content));
    else if (name.startsWith("=")) entries.set(name.slice(1), toEntry(identifier, content));
  }
  if (fields === 0) return null;
  if (m === undefined) throw UnreadableSession.malformed(identifier, "the field m");
  const found = parseMeta(identifier, m, u);
  const record: SessionRecord = { identifier, ...found.meta, entries };
  return { record, stamp: found.stamp };
}
