import { createHash, randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { SessionError } from "@catnap/shared";
import type { MaxSessions, Settings } from "../settings.ts";
import type { SessionInfo } from "../stores/store.ts";
import { assertSubjectText } from "../stores/subject-text.ts";
import type { Subjects } from "./subjects.ts";
import { contended, Turns } from "./turns.ts";

/** For so long a login is tried, in milliseconds. */
const patienceMs = 10_000;
/** A lease lasts longer than whoever has it may take, and is given back. */
const leaseMs = 15_000;
const longestPauseMs = 50;
/** Subjects share so many leases: a store keeps one that nobody gave back, since its process has died. */
const lines = 256;

/**
 * Lets a subject log in to no more sessions than `maxSessions` says. Logins of one subject go one after the other, over all
 * processes where the store has leases: so the sessions are counted before a login is written, and one that is refused
 * has changed nothing.
 */
export class Logins {
  readonly #settings: Settings;
  readonly #subjects: Subjects;
  readonly #turns = new Turns<undefined>();
  #id: string | undefined;

  constructor(settings: Settings, subjects: Subjects) {
    this.#settings = settings;
    this.#subjects = subjects;
  }

  /** Whose leases they are. Made when it is needed: a Worker of Cloudflare's forbids randomness while its module is loaded. */
  get #holder(): string {
    this.#id ??= randomUUID();
    return this.#id;
  }

  /**
   * Writes a login, with the deadline that it gets by `performance.now()`. `own` tells the session's identifier, once it has
   * one. Throws `TOO_MANY_SESSIONS` before anything is written.
   */
  async admit(subject: string, own: () => string | null, write: (deadline: number) => Promise<void>): Promise<void> {
    const deadline = performance.now() + patienceMs;
    const { maxSessions } = this.#settings;
    if (!maxSessions) return write(deadline);
    const line = createHash("sha256").update(subject).digest()[0] ?? 0;
    const task = `login:${line % lines}`;
    const turn = await this.#turns.take(task, deadline);
    try {
      await this.#lease(task, deadline);
      try {
        if (maxSessions.whenFull === "reject") await this.#assertRoom(subject, own, maxSessions);
        await write(deadline);
        if (maxSessions.whenFull === "endOldest") await this.#endOldest(subject, own, maxSessions);
      } finally {
        await this.#giveBack(task);
      }
    } finally {
      turn.end();
    }
  }

  async #lease(task: string, deadline: number): Promise<void> {
    const { store } = this.#settings;
    while ((await store.lease?.(task, this.#holder, leaseMs)) === false) {
      if (performance.now() > deadline) throw contended();
      await pause(Math.random() * longestPauseMs);
    }
  }

  /** Else it is over in a while by itself: no login fails for it. */
  async #giveBack(task: string): Promise<void> {
    try {
      await this.#settings.store.lease?.(task, this.#holder, 0);
    } catch (error) {
      this.#settings.report({ kind: "background", error });
    }
  }

  async #assertRoom(subject: string, own: () => string | null, { perSubject }: MaxSessions): Promise<void> {
    const { length } = await this.#others(subject, own);
    if (length < perSubject) return;
    throw new SessionError(
      "TOO_MANY_SESSIONS",
      `The subject has ${length} sessions already (maxSessions.perSubject is ${perSubject}): end one of sessions.list({ subject }) first`,
    );
  }

  /** The login is in, and stands whatever becomes of the others: what was not ended now is ended by the next login. */
  async #endOldest(subject: string, own: () => string | null, { perSubject }: MaxSessions): Promise<void> {
    try {
      const others = (await this.#others(subject, own)).sort(
        (a, b) => (a.authenticatedAt ?? 0) - (b.authenticatedAt ?? 0) || a.createdAt - b.createdAt,
      );
      const surplus = others.slice(0, Math.max(0, others.length + 1 - perSubject));
      for (const { identifier } of surplus) await this.#subjects.revoke(identifier);
    } catch (error) {
      this.#settings.report({ kind: "background", error });
    }
  }

  async #others(subject: string, own: () => string | null): Promise<SessionInfo[]> {
    return (await this.#subjects.living(subject)).filter(({ identifier }) => identifier !== own());
  }
}

/** Throws `INVALID_OPTION` for what no subject can be called. */
export function assertSubject(subject: string): void {
  if (typeof subject !== "string" || subject === "" || subject.length > 256) {
    throw new SessionError("INVALID_OPTION", "login takes the subject's identifier: a string of 1 to 256 characters");
  }
  assertSubjectText(subject);
}
