import { type Answer, type Push, SessionError, type SyncFailure } from "@catnap/shared";
import { deltaOf } from "../replica/delta.ts";
import type { Pending } from "../replica/memory.ts";
import type { Pace } from "./pace.ts";
import type { Problem, SyncEvents, SyncParts } from "./sync-parts.ts";
import type { Troubles } from "./troubles.ts";

/** What the server tells, taken in: by the answer to a push, or over the live stream. */
export class Intake {
  /** The server has declared the session expired, and there is no other since. */
  expired = false;
  readonly #parts: SyncParts;
  readonly #events: SyncEvents;
  readonly #troubles: Troubles;
  readonly #pace: Pace;
  /** This page load has begun a session: it begins no other for want of a cookie. */
  #anew = false;

  constructor(parts: SyncParts, events: SyncEvents, troubles: Troubles, pace: Pace) {
    this.#parts = parts;
    this.#events = events;
    this.#troubles = troubles;
    this.#pace = pace;
  }

  /**
   * Takes an answer in. `false`: it tells the difference to a state that the tab does not have any more. Throws when it
   * ends the session, or asks for what this client cannot.
   */
  take(push: Push, answer: Answer): boolean {
    const { replica, persister, siblings, epochs, now } = this.#parts;
    if (this.#pace.closed) return true;
    this.#events.before();
    // The tab has moved on to another session since: nothing of this one may be shown.
    if (!replica.isOwn(push)) {
      this.#abandon(push, answer);
      return true;
    }
    if (!answer.ok) {
      const { code, message } = answer;
      // The server soon forgets what has expired.
      const isOver = replica.facts.expiresAt <= now();
      if (code === "NO_COOKIE") {
        if (!isOver && !replica.kept) {
          this.#troubles.warn(answer);
          if (this.#anew) throw new SessionError(code, message);
          this.#anew = true;
        }
        this.#refused(isOver ? "SESSION_EXPIRED" : "SESSION_GONE", message);
      }
      if (push.nonce !== undefined && (code === "SESSION_GONE" || code === "SESSION_EXPIRED")) {
        this.#events.spent();
        throw new SessionError("CONFLICT", "The session has ended. It is tried again by itself");
      }
      this.#refused(code === "SESSION_GONE" && isOver ? "SESSION_EXPIRED" : code, message);
    }
    const { identifier } = answer;
    // The server has yet to hear that it is to end.
    if (identifier !== null && epochs.get().ends.includes(identifier)) return true;
    if (identifier !== null && push.identifier === null) {
      replica.adopt(identifier);
      this.#anew = true;
    } else if (identifier !== push.identifier) {
      this.#refused("SESSION_REPLACED", "The browser has another session");
    }
    if (identifier) {
      this.expired = false;
      this.#events.met();
    }
    // What has not just made the session was let in by the cookie.
    replica.kept ||= push.identifier !== null || push.upTo === 0 || answer.acked === 0;
    const sent = new Map(push.ops.map((op) => [op.seq, op.value]));
    const told = answer.notes.map(({ was, ...note }) => ({
      ...note,
      mine: was === undefined ? sent.get(note.seq) : was,
    }));
    const delta = deltaOf(push, answer, now());
    const fits = !replica.lacks(delta);
    if (fits) {
      const quiet = delta.rev === replica.rev && !delta.reset && delta.entries.length === 0 && push.ops.length === 0;
      const anew = replica.apply(delta, push);
      persister.save(quiet ? "changes" : anew ? "reset" : "delta");
      if (!quiet) siblings.tell({ kind: "synced", delta });
    }
    // Told once, whatever becomes of the rest.
    this.#events.notes(told);
    if (answer.undecided) this.#await(push);
    this.#events.pulse();
    return fits;
  }

  /** A first push that was answered after the session had been ended here: what it has made is to end too. */
  #abandon({ nonce, upTo }: Push, answer: Answer): void {
    const { epochs } = this.#parts;
    const { past, ends } = epochs.get();
    if (nonce === undefined || !past.includes(nonce) || !answer.ok || !answer.identifier) return;
    // What brought nothing in has only met the session that the cookie named, which may be a new one by now.
    if (upTo === 0 || answer.acked === 0) return;
    epochs.set({ ends: [...ends, answer.identifier] });
    this.#pace.later(0);
  }

  #refused(code: SyncFailure["code"], message: string): never {
    if (code === "SESSION_EXPIRED" || code === "SESSION_GONE" || code === "SESSION_REPLACED") {
      this.expired = code === "SESSION_EXPIRED";
      this.#events.ended(code);
      // The browser may hold another session by now; after an expiry, the next awake or write finds out, or what was taken along.
      if (!this.expired || this.#parts.replica.memory.pending > 0) this.#pace.later(0);
      // Whatever was tried in vain before, the server has answered.
      this.#pace.failures = 0;
    }
    throw new SessionError(code, message);
  }

  /** Gives up a change that can never go home, and hands it to the app. */
  reject(op: Pending, problem: Problem): void {
    const { replica, persister, siblings } = this.#parts;
    const { key, writer, seq, value: mine } = op;
    siblings.tell({ kind: "synced", delta: replica.refuse(op) });
    persister.save();
    this.#events.rejected({ ...problem, key, writer, seq, mine, what: "rejected" });
  }

  /** What this server does not know, since it runs another version of the app, waits for one that does; but not for ever. */
  #await({ ops, writer }: Push): void {
    const { replica, now, unknownMs } = this.#parts;
    for (const op of ops.map((one) => ({ ...one, writer }))) {
      if (!replica.outbox.isWaiting(op)) continue;
      const code = "UNKNOWN_KEY";
      const message = `The server has no "${op.key}": it runs another version of the app`;
      if (now() - op.seq > unknownMs) this.reject(op, { code, message });
      // What others have left is theirs to tell of.
      else if (replica.isMine(writer)) {
        this.#troubles.warn({ code, message: `${message}. It is tried again by itself` });
      }
    }
  }
}
