import { deviceIn, deviceKey } from "../identity/device.ts";
import { invalid, known, shown } from "../option-checks.ts";
import type { Settings } from "../settings.ts";
import type { SessionInfo } from "../stores/store.ts";
import { assertSubjectText } from "../stores/subject-text.ts";
import type { AccessTimes } from "./access-times.ts";
import { ownTimeoutKey } from "./clocks.ts";
import { endSession, isTombstone } from "./ending.ts";

/** One of somebody's sessions, to show them: never a value, a token or a hash. Times are epoch milliseconds. */
export interface ListedSession extends Omit<SessionInfo, "entries"> {
  /** "Firefox on Windows", of the last login; `null` where the client did not say. */
  readonly device: string | null;
  /** Whether it is the one that was passed as `current`. */
  readonly current: boolean;
}

/** Whose sessions, and which one asks. */
export interface ListQuery {
  readonly subject: string;
  /** The identifier of the session that asks (`session.identifier()`), which the list then marks. */
  readonly current?: string;
}

/** Whose session may be revoked. */
export interface RevokeQuery {
  readonly subject: string;
}

const pageSize = 100;

/** The sessions of people, and how they are ended by their public identifiers. Those of another app in the store are not seen. */
export class Subjects {
  readonly #settings: Settings;
  readonly #accessTimes: AccessTimes;

  constructor(settings: Settings, accessTimes: AccessTimes) {
    this.#settings = settings;
    this.#accessTimes = accessTimes;
  }

  /** The living sessions of a subject, with their devices. No value is read. */
  async list(query: ListQuery): Promise<ListedSession[]> {
    known("list", query, ["subject", "current"]);
    const { subject, current } = query;
    checkIdentifier("current", current);
    return (await this.living(subject)).map(({ entries = new Map(), ...info }) => ({
      ...info,
      device: deviceIn(info.identifier, entries.get(deviceKey)),
      current: info.identifier === current,
    }));
  }

  /** With `subject`, only a session of this subject's. Whose a session is changes once, from nobody's to somebody's. */
  async revoke(identifier: string, query?: RevokeQuery): Promise<boolean> {
    assertIdentifier(identifier);
    const { store, tokens } = this.#settings;
    if (query !== undefined) {
      known("revoke", query, ["subject"]);
      const subject = checked(query.subject);
      const record = tokens.owns(identifier) ? await store.read(identifier) : null;
      if (record?.subject !== subject) return false;
    }
    if (!tokens.owns(identifier)) return false;
    return endSession(this.#settings, this.#accessTimes, identifier);
  }

  /** Until a look finds none: a session that was bound to the subject during the walk is ended as well. */
  async revokeAll(query: { subject: string; except?: string }): Promise<number> {
    known("revokeAll", query, ["subject", "except"]);
    const { subject, except } = query;
    checkIdentifier("except", except);
    let ended = 0;
    for (;;) {
      const left: SessionInfo[] = [];
      for await (const info of this.#walk(checked(subject))) if (info.identifier !== except) left.push(info);
      if (left.length === 0) return ended;
      for (const { identifier } of left) if (await this.revoke(identifier)) ended++;
    }
  }

  /** One walk in the order of identifiers: it meets every session that was there when it began. */
  async revokeEveryone(): Promise<number> {
    let ended = 0;
    for await (const info of this.#walk()) {
      this.#accessTimes.forget(info.identifier);
      if ((await this.#settings.store.delete(info.identifier)) && !isTombstone(info)) ended++;
    }
    return ended;
  }

  /** The living sessions of a subject, by the store's times and by today's settings. */
  async living(subject: string): Promise<SessionInfo[]> {
    const { clock, timeoutMs, lifetimeMs } = this.#settings;
    const found: SessionInfo[] = [];
    for await (const info of this.#walk(checked(subject), [deviceKey, ownTimeoutKey])) {
      const idle = info.entries?.has(ownTimeoutKey) ? Number.POSITIVE_INFINITY : timeoutMs;
      const expiresAt = Math.min(info.expiresAt, info.createdAt + lifetimeMs, info.accessedAt + idle);
      if (expiresAt > clock()) found.push({ ...info, expiresAt });
    }
    return found;
  }

  async *#walk(subject?: string, entries?: readonly string[]): AsyncGenerator<SessionInfo, void, void> {
    const { store, tokens } = this.#settings;
    const query = { limit: pageSize, ...(subject !== undefined && { subject }), ...(entries && { entries }) };
    let cursor: string | undefined;
    do {
      const page = await store.find({ ...query, ...(cursor === undefined ? {} : { cursor }) });
      for (const info of page.items) if (tokens.owns(info.identifier)) yield info;
      cursor = page.cursor;
    } while (cursor !== undefined);
  }
}

/** Throws `INVALID_OPTION` for what is no identifier, a missing one above all. */
export function assertIdentifier(identifier: string): void {
  if (isIdentifier(identifier)) return;
  throw invalid(
    "identifier is missing, or none: name a session, as list() or session.identifier() gives it; nothing was done",
  );
}

function isIdentifier(text: unknown): boolean {
  return typeof text === "string" && /^[A-Za-z0-9_-]{1,80}$/.test(text);
}

/** Of what names no session, the caller's own would be ended with the others. */
function checkIdentifier(name: string, identifier: unknown): void {
  if (identifier === undefined || isIdentifier(identifier)) return;
  throw invalid(`${name} is ${shown(identifier)}: pass what session.identifier() gives; nothing was done`);
}

function checked(subject: string): string {
  if (typeof subject !== "string" || subject === "") {
    throw invalid("subject is missing: name whose sessions you mean; nothing was done");
  }
  assertSubjectText(subject);
  return subject;
}
