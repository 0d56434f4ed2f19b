import { SessionError } from "@catnap/shared";
import { deviceIn } from "../identity/device.ts";
import { invalid } from "../option-checks.ts";
import type { MaxSessions, Settings } from "../settings.ts";
import type { SessionInfo } from "../store.ts";
import type { AccessTimes } from "./access-times.ts";

/** One of somebody's sessions, to show them: never a value, a token or a hash. Times are epoch milliseconds. */
export interface ListedSession extends SessionInfo {
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

const pageSize = 100;

/** The sessions of people, and how they are ended by their public identifiers. */
export class Subjects {
  readonly #settings: Settings;
  readonly #accessTimes: AccessTimes;

  constructor(settings: Settings, accessTimes: AccessTimes) {
    this.#settings = settings;
    this.#accessTimes = accessTimes;
  }

  /** The living sessions of a subject, with their devices. */
  async list({ subject, current }: ListQuery): Promise<ListedSession[]> {
    const listed: ListedSession[] = [];
    for (const info of await this.#find(subject)) {
      const record = await this.#settings.store.read(info.identifier);
      // One that has ended since is no longer anybody's to see.
      if (!record) continue;
      listed.push({ ...info, device: deviceIn(record.entries), current: info.identifier === current });
    }
    return listed;
  }

  async revoke(identifier: string): Promise<boolean> {
    if (typeof identifier !== "string" || identifier === "") {
      throw invalid("identifier is missing: name the session to end, as list() gives it; nothing was done");
    }
    this.#accessTimes.forget(identifier);
    return this.#settings.store.delete(identifier);
  }

  /** Until a look finds none: a session that was bound to the subject during the walk is ended as well. */
  async revokeAll({ subject, except }: { subject: string; except?: string }): Promise<number> {
    let ended = 0;
    for (;;) {
      const left = (await this.#find(subject)).filter(({ identifier }) => identifier !== except);
      if (left.length === 0) return ended;
      for (const { identifier } of left) if (await this.revoke(identifier)) ended++;
    }
  }

  /** One walk in the order of identifiers: it meets every session that was there when it began. */
  async revokeEveryone(): Promise<number> {
    const { store } = this.#settings;
    let ended = 0;
    let cursor: string | undefined;
    do {
      const page = await store.find({ limit: pageSize, ...(cursor === undefined ? {} : { cursor }) });
      for (const { identifier } of page.items) if (await this.revoke(identifier)) ended++;
      cursor = page.cursor;
    } while (cursor !== undefined);
    return ended;
  }

  /** Before a login: throws `TOO_MANY_SESSIONS` when there is no room for one more and no other is to make room. */
  async assertRoom(subject: string): Promise<void> {
    const { maxSessions } = this.#settings;
    if (maxSessions?.whenFull !== "reject") return;
    const { length } = await this.#find(subject);
    if (length >= maxSessions.perSubject) throw tooMany(maxSessions);
  }

  /**
   * After a login: ends what is too many, and throws `TOO_MANY_SESSIONS` when that is the session of this very login.
   * Logins at once may each have found room; whoever looks last sees all of them and sorts them alike, so that no more
   * than were allowed are left once all have answered.
   */
  async keepWithin(subject: string, identifier: string): Promise<void> {
    const { maxSessions } = this.#settings;
    if (!maxSessions) return;
    const { perSubject } = maxSessions;
    const byLogin = (await this.#find(subject)).sort(
      (a, b) => (a.authenticatedAt ?? 0) - (b.authenticatedAt ?? 0) || (a.identifier < b.identifier ? -1 : 1),
    );
    const surplus =
      maxSessions.whenFull === "reject"
        ? byLogin.slice(perSubject)
        : byLogin.slice(0, Math.max(0, byLogin.length - perSubject));
    for (const one of surplus) await this.revoke(one.identifier);
    if (surplus.some((one) => one.identifier === identifier)) throw tooMany(maxSessions);
  }

  async #find(subject: string): Promise<SessionInfo[]> {
    if (typeof subject !== "string" || subject === "") {
      throw invalid("subject is missing: name whose sessions you mean; nothing was done");
    }
    const { store, clock } = this.#settings;
    const found: SessionInfo[] = [];
    let cursor: string | undefined;
    do {
      const page = await store.find({ subject, limit: pageSize, ...(cursor === undefined ? {} : { cursor }) });
      found.push(...page.items.filter((info) => info.expiresAt > clock()));
      cursor = page.cursor;
    } while (cursor !== undefined);
    return found;
  }
}

function tooMany({ perSubject }: MaxSessions): SessionError {
  return new SessionError(
    "TOO_MANY_SESSIONS",
    `The subject has ${perSubject} sessions already (maxSessions.perSubject): end one of sessions.list({ subject }) first`,
  );
}
