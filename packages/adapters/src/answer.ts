import type { SessionError } from "@catnap/shared";

/** The answer that tells of a `SessionError`, for frameworks that take one. */
export function answerOf(error: SessionError): Response {
  return new Response(error.message, { status: error.status ?? 500, headers: error.headers ?? {} });
}
