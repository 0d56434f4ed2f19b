import { SessionError } from "@catnap/shared";
import { TRPCError } from "@trpc/server";
import { statusOf } from "./http-status.ts";

/** The tRPC error codes that have the statuses of `SessionError`s. */
const trpcCode: Readonly<Record<ReturnType<typeof statusOf>, TRPCError["code"]>> = {
  400: "BAD_REQUEST",
  401: "UNAUTHORIZED",
  403: "FORBIDDEN",
  404: "NOT_FOUND",
  409: "CONFLICT",
  412: "PRECONDITION_FAILED",
  413: "PAYLOAD_TOO_LARGE",
  429: "TOO_MANY_REQUESTS",
  500: "INTERNAL_SERVER_ERROR",
  503: "SERVICE_UNAVAILABLE",
};

/** A `TRPCError` of the right code around a `SessionError`; anything else as it is. */
export function toTRPCError(error: unknown): unknown {
  const found = SessionError.from(error);
  if (!found) return error;
  return new TRPCError({ code: trpcCode[statusOf(found.code)], message: found.message, cause: found });
}
