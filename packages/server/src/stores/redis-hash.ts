import type { Commit, Entry, EntryChange, SessionRecord, StoreKey } from "../store.ts";

// How a session lies in its hash, as `redis-scripts.ts` describes it: what a commit sends, and what is read back.

/** A time or a stamp as it rests: in base 36, or, in the rare case that it has a fraction, as it is behind a colon. */
export function brief(value: number): string {
  return Number.isSafeInteger(value) && value >= 0 ? value.toString(36) : `:${value}`;
}

export function fromBrief(text: string): number {
  return text.startsWith(":") ? Number(text.slice(1)) : Number.parseInt(text, 36);
}

/** The field of an entry. Catnap's own names begin with `~`, and need no other mark. */
const fieldOf = (name: string): string => (name.startsWith("~") ? name : `=${name}`);

/** What `commitScript` takes behind the time after which it is too late. */
export function commitArguments(commit: Commit, lingerMs: string, stamp: number): string[] {
  const { create, timeoutMs, authenticatedAt, subject, expect, changes } = commit;
  const optional = (time: number | undefined) => (time === undefined ? "" : brief(time));
  const removals: string[] = [];
  const entries: string[] = [];
  for (const [name, change] of changes) {
    if (change.value === undefined) removals.push(fieldOf(name));
    else entries.push(fieldOf(name), rest(change, change.value));
  }
  const args = [String(commit.now), String(commit.accessedAt), String(commit.transactions), lingerMs];
  args.push(optional(timeoutMs), optional(authenticatedAt), subject === undefined ? "" : `=${subject}`);
  args.push(
    optional(create?.createdAt),
    optional(create && create.endsAt - create.createdAt),
    brief(stamp),
    String(expect.size),
  );
  for (const [name, rev] of expect) args.push(fieldOf(name), String(rev));
  args.push(String(removals.length), ...removals, ...entries);
  return args;
}

const server = "server";

/** An entry as it rests, behind its revision. Most are the server's own writes, which say no more than the value. */
function rest({ writer, seq }: EntryChange, value: string | null): string {
  const sign = value === null ? "-" : "+";
  return writer === server && seq === 0
    ? `${sign}${value ?? ""}`
    : ` ${seq} ${sign}${writer.length} ${writer}${value ?? ""}`;
}

function parseEntry(text: string): Entry {
  let afterRev = 1;
  while (text[afterRev] !== "+" && text[afterRev] !== "-" && text[afterRev] !== " ") afterRev++;
  const rev = Number(text.slice(0, afterRev));
  const sign = text[afterRev];
  if (sign !== " ") return { value: sign === "-" ? null : text.slice(afterRev + 1), rev, writer: server, seq: 0 };
  const afterSeq = text.indexOf(" ", afterRev + 1);
  const afterLength = text.indexOf(" ", afterSeq + 1);
  const endOfWriter = afterLength + 1 + Number(text.slice(afterSeq + 2, afterLength));
  return {
    value: text[afterSeq + 1] === "-" ? null : text.slice(endOfWriter),
    rev,
    writer: text.slice(afterLength + 1, endOfWriter),
    seq: Number(text.slice(afterRev + 1, afterSeq)),
  };
}

/** A hash comes as a list of names and values, a Map or an object, by protocol and client. */
export function toPairs(reply: unknown): [string, string][] {
  if (reply === null) return [];
  if (reply instanceof Map) return [...reply];
  if (!Array.isArray(reply)) return Object.entries(reply as Record<string, string>);
  const pairs: [string, string][] = [];
  for (let i = 0; i < reply.length; i += 2) pairs.push([reply[i], reply[i + 1]]);
  return pairs;
}

type Meta = Omit<SessionRecord, "identifier" | "entries">;

/** What belongs to all of a session, of the fields `m` and, where it is somebody's, `u`. */
export function parseMeta(m: string, u: string | null): { meta: Meta; stamp: number } {
  const [stamp = "", rev, sinceCreation, timeoutMs = "", transactions, , created = "", lifetime = ""] = m.split(" ");
  const createdAt = fromBrief(created);
  const [auth = "-"] = u?.split(" ", 1) ?? [];
  const subject = u?.slice(auth.length + 1) ?? "-";
  return {
    stamp: fromBrief(stamp),
    meta: {
      rev: Number(rev),
      accessedAt: createdAt + Number(sinceCreation),
      timeoutMs: fromBrief(timeoutMs),
      transactions: Number(transactions),
      createdAt,
      endsAt: createdAt + fromBrief(lifetime),
      subject: subject === "-" ? null : subject.slice(1),
      authenticatedAt: auth === "-" ? null : fromBrief(auth),
    },
  };
}

/** A session's hash as a record, and its stamp; `null` where there is none. */
export function toRecord(
  identifier: StoreKey,
  pairs: readonly [string, string][],
): { record: SessionRecord; stamp: number } | null {
  let m: string | undefined;
  let u: string | null = null;
  const entries = new Map<string, Entry>();
  for (const [name, text] of pairs) {
    if (name === "m") m = text;
    else if (name === "u") u = text;
    else if (name.startsWith("~")) entries.set(name, parseEntry(text));
    else if (name.startsWith("=")) entries.set(name.slice(1), parseEntry(text));
  }
  if (m === undefined) return null;
  const found = parseMeta(m, u);
  const record: SessionRecord = { identifier, ...found.meta, entries };
  return { record, stamp: found.stamp };
}
