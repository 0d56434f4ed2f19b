import { type AnyDefinition, Session, SessionError } from "@catnap/shared";
import { TRPCError, type TRPCMiddlewareBuilder } from "@trpc/server";
import { toTRPCError } from "../trpc-error.ts";
import type { Call } from "./call.ts";
import type { RequestSession } from "./request-session.ts";

function isAsyncIterable(data: unknown): data is AsyncIterable<unknown> {
  return typeof data === "object" && data !== null && Symbol.asyncIterator in data;
}

/**
 * What a generator procedure yields. Its transaction lasts until it ends: then what it wrote is committed, also when its
 * reader has left, and dropped when it throws.
 */
async function* lasting(items: AsyncIterable<unknown>, call: Call): AsyncGenerator<unknown, unknown, undefined> {
  let over = false;
  try {
    const last: unknown = yield* items;
    over = true;
    await call.succeed();
    return last;
  } catch (error) {
    over = true;
    await call.fail(error);
    throw error instanceof TRPCError ? error : toTRPCError(error);
  } finally {
    if (!over) await call.abandon();
  }
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
      call = await held.begin();
    } catch (error) {
      throw toTRPCError(error);
    }
    try {
      const result = await next({ ctx: { [contextKey]: call.session } });
      if (!result.ok) {
        await call.fail(result.error);
        const error = toTRPCError(result.error);
        return error === result.error ? result : { ...result, error: error as TRPCError };
      }
      if (isAsyncIterable(result.data) && !call.fork.isFollowed) {
        call.linger();
        return { ...result, data: lasting(result.data, call) };
      }
      const push = call.fork.pendingPush;
      await call.succeed();
      if (!push) return result;
      if (push.failure !== undefined) throw push.failure;
      return { ...result, data: push.answer };
    } catch (error) {
      await call.fail(error);
      throw toTRPCError(error);
    }
  };
  // tRPC takes a list of functions for a middleware; the builder's other method composes middlewares and is never called on ours.
  return { _middlewares: [middleware] } as unknown as SessionMiddleware<D, K>;
}
