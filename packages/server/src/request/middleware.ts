import { type AnyDefinition, Session, SessionError, type SessionErrorCode } from "@catnap/shared";
import { TRPCError, type TRPCMiddlewareBuilder } from "@trpc/server";
import type { Call, RequestSession } from "./request-session.ts";

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

/** The middleware's type: it finds a `RequestSession` in the context and leaves a `Session` in its place. */
export type SessionMiddleware<D extends AnyDefinition, K extends string> = TRPCMiddlewareBuilder<
  { [P in K]: RequestSession<D> },
  object,
  { [P in K]: Session<D> },
  unknown
>;

interface MiddlewareOptions {
  readonly ctx: Record<string, unknown>;
  readonly type: string;
  next(options?: { ctx: object }): Promise<MiddlewareResult>;
}

type MiddlewareResult =
  | { readonly ok: true; readonly data: unknown }
  | { readonly ok: false; readonly error: TRPCError };

/**
 * Gives every procedure call a fork of the request's session, and commits what the calls that succeeded have changed before
 * any of them answers. A procedure that calls others through `createCaller(ctx)` shares its fork with them.
 */
export function createMiddleware<D extends AnyDefinition, K extends string>(
  contextKey: K,
  isRequestSession: (candidate: unknown) => candidate is RequestSession,
): SessionMiddleware<D, K> {
  const middleware = async ({ ctx, type, next }: MiddlewareOptions): Promise<MiddlewareResult> => {
    const held = ctx?.[contextKey];
    if (held instanceof Session) return next();
    if (!isRequestSession(held)) {
      throw toTRPCError(
        new SessionError(
          "INVALID_OPTION",
          `ctx.${contextKey} is not awake: return { ${contextKey}: sessions.wake(opts) } from createContext`,
        ),
      );
    }
    let call: Call;
    try {
      // A live stream is read by no foreign page, but it would take one of the session's few.
      if (type !== "query") held.guard();
      held.assertBatch();
      await held.open();
      call = held.call();
    } catch (error) {
      throw toTRPCError(error);
    }
    const pending = () => call.fork.pendingPush;
    try {
      const result = await next({ ctx: { [contextKey]: call.session } });
      if (!result.ok) {
        call.fail();
        const error = toTRPCError(result.error);
        return error === result.error ? result : { ...result, error: error as TRPCError };
      }
      const push = pending();
      await call.succeed();
      return push ? { ...result, data: push.answer } : result;
    } catch (error) {
      call.fail();
      throw toTRPCError(error);
    }
  };
  // tRPC takes a list of functions for a middleware; the builder's other method composes middlewares and is never called on ours.
  return { _middlewares: [middleware] } as unknown as SessionMiddleware<D, K>;
}
