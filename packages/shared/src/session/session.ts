import type { AnyDefinition } from "../definition/definition.ts";
import type { NameOf } from "../definition/names.ts";
import { SessionError } from "../session-error.ts";
import { BaseSession } from "./base-session.ts";
import type { LoginOptions, Previous, SessionHome, Transaction } from "./home.ts";

/**
 * A session on the server: a map of named values with a life of its own. It awakes with a request, responds, and sleeps,
 * and what is dirty then is committed. The browser's is `ClientSession`, which lacks the methods that are declared here.
 */
export class Session<D extends AnyDefinition = AnyDefinition> extends BaseSession<D, "server"> {
  readonly #home: SessionHome;

  /** Sessions are made by `createSessions`; a subclass passes `home` on. */
  constructor(home: SessionHome) {
    super(home);
    this.#home = home;
  }

  /** Sets the idle timeout of this session, in seconds; 0 expires it at once. `INVALID_TIMEOUT` for anything but a finite number from 0 on. */
  setTimeout(seconds: number): void {
    if (!Number.isFinite(seconds) || seconds < 0) {
      throw new SessionError(
        "INVALID_TIMEOUT",
        `A timeout is a finite number of seconds from 0 on, not the ${typeof seconds} ${seconds}`,
      );
    }
    this.#home.setTimeout(seconds);
  }

  /**
   * Whether the session's cookie stays when the browser is closed; `false` is for "do not remember me". Stands for the rest of
   * the session, whatever `cookie.persistent` says, and needs a cookie in this answer: the token is rotated when it differs from
   * how the cookie was. Throws `HEADERS_SENT` or `TOKEN_ROTATED` as `rotate` does.
   */
  setPersistent(persistent: boolean): void {
    this.#home.setPersistent(persistent);
  }

  /** Comes between awake and sleep, when the answer is about to be given. Does nothing; a subclass may. */
  respond(_trans: Transaction): void | Promise<void> {
    // A hook for subclasses.
  }

  /**
   * Is called before an expired session is removed, and told why: nobody used it for its `timeout`, or its `lifetime` was
   * over. At least once, over all processes that share the store: again, when the one that called it did not live to
   * remove the session. Does nothing; a subclass may.
   */
  expiring(_reason: "timeout" | "lifetime"): void | Promise<void> {
    // A hook for subclasses.
  }

  /** Issues a new token for the same session, at sleep; requests in flight may use the old one for a short grace. */
  rotate(): void {
    this.#home.rotate();
  }

  /**
   * Rotates and binds the session to a subject. Throws `SUBJECT_MISMATCH` when it belongs to another, unless
   * `{ replace: true }` ends it, whoever's it is, and begins the subject's, with an identifier of its own and no values but
   * those that `keep` names. From here on this object is the new session.
   */
  login(subject: string, options?: LoginOptions<NameOf<D, "server">>): void {
    this.#home.login(subject, options);
  }

  /** Whom the session belongs to, or `null` when anonymous. */
  subject(): string | null {
    return this.#home.subject();
  }

  /** When somebody last called `login` on this session, in epoch milliseconds; `null`: nobody has. */
  authenticatedAt(): number | null {
    return this.#home.authenticatedAt();
  }

  /** What became of the cookie that came: `"none"` came or it was good, `"unknown"`, or its session has `"expired"`. */
  previous(): Previous {
    return this.#home.previous();
  }

  /**
   * Adds a single-use ticket, good for 60 seconds, that hands this session to the page behind `url`; never the token.
   * Throws `TICKETS_DISABLED` unless `createSessions` was given `tickets: true`.
   */
  sessionEncode(url: string): Promise<string> {
    return this.#home.ticketUrl(url);
  }
}
