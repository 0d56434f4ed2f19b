import {
  type Answer,
  type AnyDefinition,
  differ,
  type Note,
  noteName,
  type Previous,
  type Push,
  protocol,
  type SessionFacts,
  type SyncFailure,
  type SyncSuccess,
  type WireEntry,
} from "@catnap/shared";
import type { Tokens } from "../identity/tokens.ts";
import { expiresAt, type SessionRecord } from "../stores/store.ts";
import { lensOf } from "../versions/lens.ts";
import type { AppliedPush } from "./push.ts";
import { latest, readWatermarks, unheard } from "./watermarks.ts";

/** What a push meets: the session that its request's cookie opens, or what became of the one that the cookie names. */
export interface Met {
  readonly record: SessionRecord | null;
  readonly previous: Previous;
  /** The identifiers in the cookie: one, but for more cookies of one name. */
  readonly named: readonly string[];
}

/**
 * Answers a push that must not be applied to the session at hand: one of another protocol, of another session, or one
 * whose tab does not know yet which session it has. `null`: apply it. Asked before anything of the push is read.
 */
export function screenPush(
  { definition, tokens }: { readonly definition: AnyDefinition; readonly tokens: Tokens },
  { record, previous, named }: Met,
  push: Push,
  now: number,
): Answer | null {
  if (push.protocol !== protocol) return refusal("PROTOCOL_MISMATCH");
  const gone = () => refusal(previous === "expired" ? "SESSION_EXPIRED" : "SESSION_GONE");
  if (push.identifier === null) {
    const own = push.nonce === undefined ? null : tokens.identifierOf(push.nonce);
    // The session that this nonce makes was made, and has ended: it is not made again.
    if (!record && push.ops.length > 0 && own !== null && named.includes(own)) return gone();
    if (!record || record.identifier === own) return null;
    // The cookie names a session that the tab has not met: it learns of it, binds its ops to it, and pushes again.
    return answerPush(
      definition,
      record,
      { ...push, ops: [] },
      { notes: [], acked: 0, undecided: [], wentBack: false },
      now,
    );
  }
  if (record?.identifier === push.identifier) return null;
  if (record) return refusal("SESSION_REPLACED");
  return previous === "none" ? refusal("NO_COOKIE") : gone();
}

const refusals: Readonly<Record<SyncFailure["code"], string>> = {
  PROTOCOL_MISMATCH: `This server speaks protocol ${protocol}: reload the page to get its client`,
  SESSION_REPLACED: "The browser has another session now: nothing was applied",
  SESSION_EXPIRED: "The session has expired: nothing was applied",
  SESSION_GONE: "The session has ended: nothing was applied",
  NO_COOKIE:
    "The request names a session, and has no cookie of it. Where the browser keeps none, on plain HTTP set cookie.secure to false; from another origin send credentials, in http.fetch and eventSourceOptions; in a frame of another site set cookie.partitioned; or the user refuses cookies",
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
  outcome: Pick<AppliedPush, "notes" | "acked" | "undecided" | "wentBack">,
  now: number,
): SyncSuccess {
  const reset = outcome.wentBack || push.since > record.rev || differs(definition, record, push);
  const sent = new Map(push.ops.map((op) => [op.key, op]));
  const lens = lensOf(definition);
  const entries: Record<string, WireEntry> = {};
  const deleted: Record<string, number> = {};
  for (const [name, entry] of record.entries) {
    const { value, rev, writer, seq } = entry;
    if ((rev <= push.since && !reset) || !lens.shows(name, entry)) continue;
    if (value === null) {
      if (!reset) deleted[name] = rev;
      continue;
    }
    const own = sent.get(name);
    const echo = own?.seq === seq && own.value === value && writer === `${push.profile}/${push.writer}`;
    entries[name] = echo ? { rev } : { value, rev };
  }
  const { writers, undecided, notes } = readWatermarks(push.profile, record);
  return {
    ok: true,
    identifier: record.identifier,
    rev: record.rev,
    acked: outcome.acked,
    decided: latest(writers),
    ...waits(undecided, push.writer, outcome.undecided),
    entries,
    deleted,
    ...(reset ? { reset } : {}),
    notes: notesTo(push, outcome.notes, notes),
    facts: factsOf(record, now),
  };
}

/** What an answer tells of ops that wait: those that rest with the watermarks, and those of the push. */
export function waits(
  resting: ReadonlyMap<string, readonly number[]>,
  writer: string,
  seqs: readonly number[],
): Pick<SyncSuccess, "undecided"> {
  const all = new Map([...resting, [writer, [...new Set([...(resting.get(writer) ?? []), ...seqs])]] as const]);
  const undecided = Object.fromEntries([...all].filter(([, some]) => some.length > 0));
  return Object.keys(undecided).length > 0 ? { undecided } : {};
}

/** What waited for the push's profile, then what the push has brought about. What the push carries is not quoted to it. */
export function notesTo(push: Push, fresh: readonly Note[], waiting: readonly Note[]): Note[] {
  const carried = new Set(push.ops.map(({ seq }) => noteName({ writer: push.writer, seq })));
  const names = new Set(fresh.map(noteName));
  const earlier = unheard(waiting, push.heard).filter((note) => !names.has(noteName(note)));
  return [...earlier, ...fresh].map((note) => {
    const { was: _, ...short } = note;
    return carried.has(noteName(note)) ? short : note;
  });
}

/** Whether a tab that seems to be up to date is not. */
function differs(definition: AnyDefinition, { rev, entries }: SessionRecord, push: Push): boolean {
  if (push.checksum === undefined || push.since !== rev) return false;
  return differ(lensOf(definition).checksum(entries), push.checksum);
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
  { identifier, profile, writer, since, heard }: Pick<Push, "identifier" | "profile" | "writer" | "since" | "heard">,
  now: number,
): SyncSuccess {
  const { writers } = readWatermarks(profile, record);
  const acked = writers.get(writer) ?? 0;
  const push = { protocol, identifier, profile, writer, ops: [], upTo: 0, since, acked: 0, ...(heard && { heard }) };
  return answerPush(definition, record, push, { notes: [], acked, undecided: [], wentBack: false }, now);
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
