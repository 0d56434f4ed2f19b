import { SessionError, type SessionErrorCode } from "@catnap/shared";

type Status = 400 | 401 | 403 | 404 | 409 | 412 | 413 | 429 | 500 | 503;

const statuses: Readonly<Record<SessionErrorCode, Status>> = {
  NO_SUCH_VALUE: 404,
  UNKNOWN_KEY: 400,
  INVALID_VALUE: 400,
  FORBIDDEN_KEY: 403,
  INVALID_TIMEOUT: 400,
  INVALID_DEFINITION: 500,
  INVALID_OPTION: 500,
  LIMIT_EXCEEDED: 413,
  SESSION_GONE: 401,
  SESSION_EXPIRED: 401,
  SESSION_REPLACED: 409,
  NO_COOKIE: 401,
  SESSION_CLOSED: 500,
  TOKEN_ROTATED: 409,
  SUBJECT_MISMATCH: 409,
  TICKETS_DISABLED: 500,
  HEADERS_SENT: 412,
  NOT_FRESH: 401,
  TOO_MANY_SESSIONS: 403,
  RATE_LIMITED: 429,
  CROSS_SITE: 403,
  BAD_PUSH: 400,
  PROTOCOL_MISMATCH: 412,
  CONFLICT: 409,
  STORE_UNAVAILABLE: 503,
  STORE_UNUSABLE: 500,
  SERVER_ONLY: 400,
  UNREACHABLE: 503,
};

/** The HTTP status of an answer that tells of a `SessionError` of this code. */
export function statusOf(code: SessionErrorCode): Status {
  return statuses[code];
}

/**
 * Gives every `SessionError` of this process the `status` and `headers` that Express, Fastify and others answer an error
 * with. Here and not in the class, which browsers load, too.
 */
export function answerByStatus(): void {
  Object.defineProperties(SessionError.prototype, {
    status: {
      configurable: true,
      get(this: SessionError) {
        return statusOf(this.code);
      },
    },
    headers: {
      configurable: true,
      get(this: SessionError) {
        return statusOf(this.code) === 503 ? { "Retry-After": "1" } : undefined;
      },
    },
  });
}
