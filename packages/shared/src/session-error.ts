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

const brand = Symbol.for("catnap.SessionError");

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

  constructor(
    code: SessionErrorCode,
    message: string,
    details: { key?: string | undefined; issues?: readonly SessionIssue[] | undefined; cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    if (details.key !== undefined) this.key = details.key;
    if (details.issues !== undefined) this.issues = details.issues;
  }

  toJSON(): SessionErrorData {
    return {
      code: this.code,
      message: this.message,
      ...(this.key === undefined ? {} : { key: this.key }),
      ...(this.issues === undefined ? {} : { issues: this.issues }),
    };
  }

  /**
   * Finds the `SessionError` in what a call threw: the error itself, one that another error wraps as its `cause`
   * (tRPC on the server), or the data that the app's error formatter sent along (tRPC in the browser, see
   * `sessions.errorData`). `null` when there is none.
   */
  static from(error: unknown): SessionError | null {
    let candidate: unknown = error;
    for (let depth = 0; depth < 8 && typeof candidate === "object" && candidate !== null; depth++) {
      if (isSessionError(candidate)) return candidate;
      const sent = (candidate as { data?: { session?: unknown } | null }).data?.session;
      if (isSessionErrorData(sent)) {
        return new SessionError(sent.code, sent.message, { ...sent, cause: error });
      }
      candidate = (candidate as { cause?: unknown }).cause;
    }
    return null;
  }
}

// Two copies of the package still know each other's errors by this.
Object.defineProperty(SessionError.prototype, brand, { value: true });

/** Whether `error` is a `SessionError`, and, when a `code` is given, one of that code. */
export function isSessionError(error: unknown, code?: SessionErrorCode): error is SessionError {
  if (typeof error !== "object" || error === null || !(brand in error)) return false;
  return code === undefined || (error as { code?: unknown }).code === code;
}

function isSessionErrorData(data: unknown): data is SessionErrorData {
  if (typeof data !== "object" || data === null) return false;
  const { code, message } = data as { code?: unknown; message?: unknown };
  return typeof code === "string" && typeof message === "string";
}
