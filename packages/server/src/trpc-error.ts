import { SessionError, type SessionErrorCode } from "@catnap/shared";
import { TRPCError } from "@trpc/server";

/** The tRPC error code that a `SessionError` becomes, and with it the HTTP status. */
const trpcCode: Readonly<Record<SessionErrorCode, TRPCError["code"]>> = {
  NO_SUCH_VALUE: "NOT_FOUND",
  UNKNOWN_KEY: "BAD_REQUEST",
  INVALID_VALUE: "BAD_REQUEST",
  FORBIDDEN_KEY: "FORBIDDEN",
  INVALID_TIMEOUT: "BAD_REQUEST",
  INVALID_DEFINITION: "INTERNAL_SERVER_ERROR",
  INVALID_OPTION: "INTERNAL_SERVER_ERROR",
  LIMIT_EXCEEDED: "PAYLOAD_TOO_LARGE",
  SESSION_GONE: "UNAUTHORIZED",
  SESSION_EXPIRED: "UNAUTHORIZED",
  SESSION_REPLACED: "CONFLICT",
  SESSION_CLOSED: "INTERNAL_SERVER_ERROR",
  TOKEN_ROTATED: "CONFLICT",
  SUBJECT_MISMATCH: "CONFLICT",
  TICKETS_DISABLED: "INTERNAL_SERVER_ERROR",
  HEADERS_SENT: "PRECONDITION_FAILED",
  NOT_FRESH: "UNAUTHORIZED",
  TOO_MANY_SESSIONS: "FORBIDDEN",
  RATE_LIMITED: "TOO_MANY_REQUESTS",
  CROSS_SITE: "FORBIDDEN",
  BAD_PUSH: "BAD_REQUEST",
  PROTOCOL_MISMATCH: "PRECONDITION_FAILED",
  CONFLICT: "CONFLICT",
  STORE_UNAVAILABLE: "SERVICE_UNAVAILABLE",
  STORE_UNUSABLE: "INTERNAL_SERVER_ERROR",
  SERVER_ONLY: "BAD_REQUEST",
  UNREACHABLE: "SERVICE_UNAVAILABLE",
};

/** A `TRPCError` of the right code around a `SessionError`; anything else as it is. */
export function toTRPCError(error: unknown): unknown {
  const found = SessionError.from(error);
  return found ? new TRPCError({ code: trpcCode[found.code], message: found.message, cause: found }) : error;
}
