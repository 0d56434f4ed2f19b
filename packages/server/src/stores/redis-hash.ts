import type { Commit, Entry, EntryChange, SessionRecord, StoreKey } from "../store.ts";

// How a session lies in its hash, as `redis-scripts.ts` describes it: what a commit sends, and what is read back.

/** What `commitScript` takes behind the nonce. */
export function commitArguments(commit: Commit, lingerMs: string, stamp: number): string[] {
  const { create, timeoutMs, authenticatedAt, subject, expect, changes } = commit;
  const optional = (value: number | undefined) => (value === undefined ? "" : String(value));
  const removals: string[] = [];
  const entries: string[] = [];
  for (const [name, change] of changes) {
    if (change.value === undefined) removals.push(`=${name}`);
    else entries.push(`=${name}`, rest(change, change.value));
  }
  const args = [String(commit.now), String(commit.accessedAt), String(commit.transactions), lingerMs];
  args.push(optional(timeoutMs), optional(authenticatedAt), subject === undefined ? "" : `=${subject}`);
  args.push(optional(create?.createdAt), optional(create?.endsAt), String(stamp), String(expect.size));
  for (const [name, rev] of expect) args.push(`=${name}`, String(rev));
  args.push(String(removals.length), ...removals, ...entries);
  return args;
}

/** An entry as it rests, behind its revision. */
function rest({ writer, seq }: EntryChange, value: string | null): string {
  return `${seq} ${value === null ? "-" : "+"}${writer.length} ${writer}${value ?? ""}`;
}

function parseEntry(text: string): Entry {
  const afterRev = text.indexOf(" ");
  const afterSeq = text.indexOf(" ", afterRev + 1);
  const afterLength = text.indexOf(" ", afterSeq + 1);
  const endOfWriter = afterLength + 1 + Number(text.slice(afterSeq + 2, afterLength));
  return {
    value: text[afterSeq + 1] === "-" ? null : text.slice(endOfWriter),
    rev: Number(text.slice(0, afterRev)),
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

/** What belongs to all of a session. Splits at the first nine blanks; the subject may hold any. */
export function parseMeta(text: string): { meta: Meta; stamp: number } {
  const words = text.split(" ", 9);
  const number = (at: number) => Number(words[at]);
  const subject = text.slice(words.join(" ").length + 1);
  return {
    stamp: number(0),
    meta: {
      rev: number(1),
      accessedAt: number(2),
      timeoutMs: number(3),
      transactions: number(4),
      createdAt: number(6),
      endsAt: number(7),
      subject: subject === "-" ? null : subject.slice(1),
      authenticatedAt: words[8] === "-" ? null : number(8),
    },
  };
}

/** A session's hash as a record, and its stamp; `null` where there is none. */
export function toRecord(
  identifier: StoreKey,
  pairs: readonly [string, string][],
): { record: SessionRecord; stamp: number } | null {
  let found: ReturnType<typeof parseMeta> | undefined;
  const entries = new Map<string, Entry>();
  for (const [name, text] of pairs) {
    if (name === "m") found = parseMeta(text);
    else if (name.startsWith("=")) entries.set(name.slice(1), parseEntry(text));
  }
  if (!found) return null;
  const record: SessionRecord = { identifier, ...found.meta, entries };
  return { record, stamp: found.stamp };
}
