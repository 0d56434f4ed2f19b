/**
 * Every way in which a session can refuse. The union is closed: switch on it exhaustively.
 *
 * - `NO_SUCH_VALUE` the key is absent and has no default
 * - `UNKNOWN_KEY` the definition has no such key
 * - `INVALID_VALUE` the key's schema, the codec or a limit rejects the value
 * - `FORBIDDEN_KEY` this side may not write (or read) the key
 * - `INVALID_TIMEOUT` a timeout that is negative, NaN or infinite
 * - `INVALID_DEFINITION` `defineSession` was given something that cannot be a session
 * - `INVALID_OPTION` an option is missing, weak or contradicts another
 * - `LIMIT_EXCEEDED` a value, session or push is larger than the definition allows
 * - `SESSION_GONE` the session was invalidated or revoked
 * - `SESSION_EXPIRED` the session outlived its timeout or its lifetime
 * - `SESSION_REPLACED` the browser now holds another session
 * - `NO_COOKIE` the browser names a session, and sent no cookie of it: it kept none
 * - `SESSION_CLOSED` the transaction is over: what is written now would not be kept
 * - `TOKEN_ROTATED` the request came with a token that has a successor: it may end, but not log in, rotate or hand out
 * - `SUBJECT_MISMATCH` the session belongs to somebody else
 * - `TICKETS_DISABLED` `sessionEncode` without `tickets: true`
 * - `HEADERS_SENT` a cookie is due, but the response's headers have left
 * - `NOT_FRESH` the procedure wants a more recent login
 * - `TOO_MANY_SESSIONS` the subject has as many sessions as it may
 * - `RATE_LIMITED` the app's limiter refuses another new session
 * - `CROSS_SITE` a state-changing request came from a foreign site
 * - `BAD_PUSH` a `sync` body that no Catnap client sends
 * - `PROTOCOL_MISMATCH` client and server speak different versions of the protocol
 * - `CONFLICT` other writers kept winning; try again
 * - `STORE_UNAVAILABLE` the store cannot be reached or written just now
 * - `STORE_UNUSABLE` the store's file or server is corrupt, read-only, foreign, of another version or refuses the user
 * - `SERVER_ONLY` the operation exists on the server alone
 * - `UNREACHABLE` the browser could not reach its server
 */
export type SessionErrorCode =
  | "NO_SUCH_VALUE"
  | "UNKNOWN_KEY"
  | "INVALID_VALUE"
  | "FORBIDDEN_KEY"
  | "INVALID_TIMEOUT"
  | "INVALID_DEFINITION"
  | "INVALID_OPTION"
  | "LIMIT_EXCEEDED"
  | "SESSION_GONE"
  | "SESSION_EXPIRED"
  | "SESSION_REPLACED"
  | "NO_COOKIE"
  | "SESSION_CLOSED"
  | "TOKEN_ROTATED"
  | "SUBJECT_MISMATCH"
  | "TICKETS_DISABLED"
  | "HEADERS_SENT"
  | "NOT_FRESH"
  | "TOO_MANY_SESSIONS"
  | "RATE_LIMITED"
  | "CROSS_SITE"
  | "BAD_PUSH"
  | "PROTOCOL_MISMATCH"
  | "CONFLICT"
  | "STORE_UNAVAILABLE"
  | "STORE_UNUSABLE"
  | "SERVER_ONLY"
  | "UNREACHABLE";

/** One thing that a schema found wrong: what, and where inside the value. */
export interface SessionIssue {
  readonly message: string;
  readonly path?: readonly (string | number)[];
}

/** What a `SessionError` looks like on the wire: no stack, no cause, no value. */
export interface SessionErrorData {
  readonly code: SessionErrorCode;
  readonly message: string;
  readonly key?: string;
  readonly issues?: readonly SessionIssue[];
}

const brand: unique symbol = Symbol.for("catnap.SessionError");

/** What a `SessionError` says besides its message. */
interface SessionErrorDetails {
  readonly key?: string | undefined;
  readonly issues?: readonly SessionIssue[] | undefined;
  readonly cause?: unknown;
}

/**
 * The one error that Catnap throws, on both sides of the wire. `code` says which rule was broken, `key` names the
 * value concerned, `issues` are the schema's own findings; the message says what to do next. It never carries a
 * token, nor the value of any key.
 */
export class SessionError extends Error {
  override readonly name = "SessionError";
  readonly code: SessionErrorCode;
  readonly key?: string;
  readonly issues?: readonly SessionIssue[];
  /** The HTTP status that fits. On a server alone: a browser would load a table for it, and has tRPC's `data.httpStatus`. */
  declare readonly status?: number;
  /** What the answer says besides, on a server: `Retry-After` where another try may help. */
  declare readonly headers?: Readonly<Record<string, string>>;

  constructor(code: SessionErrorCode, message: string, { cause, key, issues }: SessionErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    if (key !== undefined) this.key = key;
    if (issues) this.issues = issues;
  }

  toJSON(): SessionErrorData {
    const { code, message, key, issues } = this;
    return { code, message, ...(key !== undefined && { key }), ...(issues && { issues }) };
  }

  /**
   * Finds the `SessionError` in what a call threw: the error itself, one that another error wraps as its `cause`
   * (tRPC on the server), or the data that the app's error formatter sent along (tRPC in the browser, see
   * `sessions.errorData`). `null` when there is none.
   */
  static from(error: unknown): SessionError | null {
    // Of something that was thrown, which may be anything, only these properties are looked at.
    let candidate = error as { data?: { session?: Partial<SessionErrorData> }; cause?: unknown } | undefined;
    for (let depth = 0; depth < 8; depth++) {
      if (isSessionError(candidate)) return candidate;
      const { code, message, ...details } = candidate?.data?.session ?? {};
      if (typeof code === "string" && typeof message === "string") {
        return new SessionError(code, message, { ...details, cause: error });
      }
      candidate = candidate?.cause as typeof candidate;
    }
    return null;
  }
}

// Two copies of the package still know each other's errors by this.
Object.defineProperty(SessionError.prototype, brand, { value: true });

/** Whether `error` is a `SessionError`, and, when a `code` is given, one of that code. */
export function isSessionError(error: unknown, code?: SessionErrorCode): error is SessionError {
  const known = error as { [brand]?: true; code?: unknown } | null | undefined;
  return known?.[brand] === true && (code === undefined || known.code === code);
}

/** An error that concerns a key: the message begins with its name, in quotes. */
export function refusal(
  code: SessionErrorCode,
  key: string,
  what: string,
  details?: Omit<SessionErrorDetails, "key">,
): SessionError {
  return new SessionError(code, `"${key}" ${what}`, { ...details, key });
}
