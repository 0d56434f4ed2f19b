import { byteLength, type Push, SessionError } from "@catnap/shared";
import {
  type Credentials,
  confirmed,
  firstCredentials,
  noCredentials,
  succeeded,
  withTickets,
} from "../identity/credentials.ts";
import { credentialsKey, formatCredentials, readCredentials } from "../identity/credentials-text.ts";
import { deviceKey } from "../identity/device.ts";
import { isPersistent, persistentKey, persistentText } from "../identity/persistence.ts";
import { judge, mayLogIn, mayRotate, tokenRotated } from "../identity/standing.ts";
import type { Settings } from "../settings.ts";
import { unitsWith, withChanges } from "../stores/entries.ts";
import type { Commit, Entry, EntryChange, SessionRecord } from "../stores/store.ts";
import { type AppliedPush, applyPush } from "../sync/push.ts";
import { isOutdated, ownTimeoutKey } from "../upkeep/clocks.ts";
import { lensOf } from "../versions/lens.ts";
import { type Draft, reads, replay, subjectMismatch } from "./draft.ts";

/** What a request knows when it plans a commit. */
export interface Circumstances {
  readonly record: SessionRecord | null;
  /** The hash of the token that the request presented. */
  readonly hash: string | null;
  /** What a login notes of the client's device. */
  device(): string | null;
  /** The secret to hand out if this commit creates or rotates; minted when it is asked for. */
  secret(): string;
  /** When the request began. */
  readonly startedAt: number;
  /** The access time that the record takes, unless it has a later one. */
  readonly accessedAt: number;
  readonly now: number;
  /** 1 unless an earlier commit of this request has counted the transaction. */
  readonly transactions: number;
}

/** A commit ready for the store; `null` where nothing needs one. */
export interface CommitPlan {
  readonly commit: Commit | null;
  /** Whether the circumstances' secret is the browser's new token. */
  readonly issues: boolean;
  readonly pushed: AppliedPush | null;
}

const nothing: ReadonlyMap<string, Entry> = new Map();

/**
 * Turns the changes of a request into one commit on a given record. Pure: after a conflict it is planned again on the
 * record that the store answered with, and every read-modify-write runs again.
 */
export function planCommit(settings: Settings, draft: Draft, now: Circumstances): CommitPlan {
  const { record, startedAt } = now;
  const { wishes } = draft;
  const entries = record?.entries ?? nothing;
  const lens = lensOf(settings.definition);
  const changes = new Map<string, EntryChange>();
  const expect = new Map<string, number>();
  const room = settings.definition.limits.sessionBytes;
  const before = () => sizeOf(settings, entries, nothing);
  const pushed = wishes.push ? pushOn(settings, record, wishes.push.push) : null;
  for (const [name, change] of pushed?.changes ?? []) {
    changes.set(name, change);
    expect.set(name, entries.get(name)?.rev ?? 0);
  }
  for (const change of draft.changes.values()) {
    const { name } = change.key;
    const sight = changes.has(name) ? { value: changes.get(name)?.value ?? null } : lens.look(name, entries);
    if (reads(change)) {
      expect.set(name, entries.get(name)?.rev ?? 0);
      if (sight.unfit) throw sight.unfit;
    }
    const value = replay(change, sight.value);
    if (value !== sight.value) changes.set(name, { value, writer: change.writer ?? "server", seq: 0 });
  }
  // A push keeps to the room that there is, op by op; whoever goes over it now is the server.
  const size = draft.changes.size > 0 ? sizeOf(settings, entries, changes) : 0;
  if (size > room && size > before()) {
    throw new SessionError(
      "LIMIT_EXCEEDED",
      `The session would hold more than limits.sessionBytes (${room}): delete values, or raise the limit in defineSession`,
    );
  }
  if (wishes.subject !== undefined && record?.subject != null && record.subject !== wishes.subject)
    throw subjectMismatch();

  // Read only where they may change: a plain write has nothing to do with them.
  const concerned = wishes.rotate !== undefined || wishes.tickets !== undefined || wishes.confirm === true;
  const known = record && concerned ? readCredentials(record) : noCredentials;
  const issues = record ? mayIssue(settings, draft, known, now) : true;
  const credentials = record ? amended(settings, draft, known, issues, now) : created(settings, draft, now);
  if (wishes.timeoutMs !== undefined) changes.set(ownTimeoutKey, { value: "1", writer: "server", seq: 0 });
  if (wishes.persistent !== undefined) choosePersistence(settings, wishes.persistent, record, issues, changes);
  const timeoutMs = wishes.timeoutMs ?? (!record || isOutdated(settings, record) ? settings.timeoutMs : undefined);
  // Watermarks alone are no reason for a session to be. A browser's deletion is one: what it deletes may have begun the
  // session already, or be under way still, and then has to find out that it comes too late.
  const mustCreate = [...changes].some(
    ([name, { value }]) => !name.startsWith("~") && (value === null ? pushed !== null : value !== undefined),
  );
  const wished = wishes.subject !== undefined || wishes.force || wishes.tickets !== undefined;
  const confirms = settings.store.confirms === true && (wishes.push?.push.ops.length ?? 0) > 0;
  if (
    record
      ? !wished && !confirms && changes.size === 0 && credentials === known && timeoutMs === undefined
      : !wished && !mustCreate
  ) {
    return { commit: null, issues: false, pushed };
  }
  for (const [name, change] of lens.upkeep(entries)) {
    if (changes.has(name)) continue;
    changes.set(name, change);
    expect.set(name, entries.get(name)?.rev ?? 0);
  }
  if (credentials !== known) {
    if (record) expect.set(credentialsKey, entries.get(credentialsKey)?.rev ?? 0);
    changes.set(credentialsKey, { value: formatCredentials(credentials), writer: "server", seq: 0 });
  }
  const device = wishes.subject === undefined ? null : now.device();
  if (device !== null) changes.set(deviceKey, { value: JSON.stringify(device), writer: "server", seq: 0 });
  return {
    commit: {
      now: now.now,
      ...(record ? {} : { create: { createdAt: startedAt, endsAt: startedAt + settings.lifetimeMs } }),
      accessedAt: now.accessedAt,
      transactions: now.transactions,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(wishes.subject === undefined ? {} : { subject: wishes.subject, authenticatedAt: startedAt }),
      expect: record ? expect : new Map(),
      changes,
    },
    issues,
    pushed,
  };
}

/** What a push does to the session as it is, in the room that there is. */
export function pushOn(settings: Settings, record: SessionRecord | null, push: Push): AppliedPush {
  const { definition } = settings;
  const { identifier = "", rev = 0, entries = nothing } = record ?? {};
  const room = definition.limits.sessionBytes - sizeOf(settings, entries, nothing);
  return applyPush(definition, { identifier, rev, entries }, push, room);
}

/**
 * Whether the commit makes a new token. One that was rotated since the request came is not rotated again: its successor is
 * on its way to this browser.
 */
function mayIssue({ graceMs }: Settings, { wishes }: Draft, known: Credentials, now: Circumstances): boolean {
  if (wishes.rotate === undefined || now.hash === null) return false;
  const standing = judge(known, now.hash, now.now);
  if (wishes.subject !== undefined) return mayLogIn(standing, now.now, graceMs);
  return mayRotate(standing, now.now, graceMs, now.record?.authenticatedAt ?? null);
}

function amended(
  { graceMs, tokens }: Settings,
  { wishes }: Draft,
  known: Credentials,
  issues: boolean,
  { hash, secret, now, record }: Circumstances,
): Credentials {
  if (hash === null) return known;
  let credentials = wishes.confirm ? confirmed(known, hash, now + graceMs) : known;
  if (wishes.tickets) {
    const provenAt = record?.authenticatedAt ?? null;
    if (!mayRotate(judge(known, hash, now), now, graceMs, provenAt)) throw tokenRotated("sessionEncode");
  }
  if (issues) {
    const alone = wishes.rotate === "asked";
    // Clocks of two servers may differ: a token that comes after a login is never dated before it.
    const at = Math.max(now, record?.authenticatedAt ?? now);
    const login = wishes.subject !== undefined;
    const succession = { hash, next: tokens.hash(secret()), now: at, alone, login, atOnce: graceMs === 0 };
    credentials = succeeded(credentials, succession);
  }
  return wishes.tickets ? withTickets(credentials, wishes.tickets, now) : credentials;
}

/** Notes a session's choice. Throws `TOKEN_ROTATED` where another request has rotated the token, whose cookie knows nothing of it. */
function choosePersistence(
  { cookie }: Settings,
  persistent: boolean,
  record: SessionRecord | null,
  issues: boolean,
  changes: Map<string, EntryChange>,
): void {
  const value = persistentText(persistent);
  if (!issues && isPersistent(cookie, record?.entries) !== persistent) throw tokenRotated("setPersistent");
  if (record?.entries.get(persistentKey)?.value !== value)
    changes.set(persistentKey, { value, writer: "server", seq: 0 });
}

function created({ tokens }: Settings, { wishes }: Draft, { secret, startedAt }: Circumstances): Credentials {
  const nonce = wishes.push?.push.nonce;
  const first = firstCredentials(
    tokens.hash(secret()),
    startedAt,
    nonce === undefined ? undefined : { secret: secret(), nonce },
  );
  return wishes.tickets ? withTickets(first, wishes.tickets, startedAt) : first;
}

/**
 * The bytes of all values that the definition knows, as they will be. What it does not know counts for nothing: another version
 * answers for it. Cheap where it cannot matter: a string is at most three bytes a unit.
 */
function sizeOf(
  settings: Settings,
  entries: ReadonlyMap<string, Entry>,
  changes: ReadonlyMap<string, EntryChange>,
): number {
  const { keys, limits } = settings.definition;
  const units = unitsWith(entries, changes, keys);
  if (units * 3 <= limits.sessionBytes) return units;
  let bytes = 0;
  for (const [name, { value }] of withChanges(entries, changes, 0))
    if (keys.has(name)) bytes += byteLength(value ?? "");
  return bytes;
}
