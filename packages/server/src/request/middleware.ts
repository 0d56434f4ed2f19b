import { type AnyDefinition, Session, SessionError } from "@catnap/shared";
import { TRPCError, type TRPCMiddlewareFunction } from "@trpc/server";
import { isObservable, observableToAsyncIterable } from "@trpc/server/observable";
import { toTRPCError } from "../trpc-error.ts";
import type { AwakeSession } from "./awake-session.ts";
import type { Call } from "./call.ts";
import { following } from "./follow.ts";

/** What a procedure yields, be it a generator or, as in older code, an observable; `undefined`: it has just returned. */
function itemsOf(data: unknown, signal: AbortSignal | undefined): AsyncIterable<unknown> | undefined {
  if (isObservable(data)) return observableToAsyncIterable(data, signal ?? new AbortController().signal);
  const isIterable = typeof data === "object" && data !== null && Symbol.asyncIterator in data;
  return isIterable ? (data as AsyncIterable<unknown>) : undefined;
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

/**
 * The type of `sessions.middleware`: it finds in the context what `wake` gave, and leaves a `Session` in its place. It does
 * not compile where the context has no such member. (tRPC compares less of a middleware builder than of a function: a
 * builder that replaces a member of the context is taken for a context without it.)
 */
export type SessionMiddleware<D extends AnyDefinition, K extends string> = TRPCMiddlewareFunction<
  { [P in K]: AwakeSession<D> },
  object,
  object,
  { [P in K]: Session<D> },
  unknown
>;

interface MiddlewareOptions {
  readonly ctx: Record<string, unknown>;
  readonly type: string;
  readonly path: string;
  readonly signal?: AbortSignal | undefined;
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
  isAwake: (candidate: unknown) => candidate is AwakeSession,
): SessionMiddleware<D, K> {
  const middleware = async ({ ctx, type, path, signal, next }: MiddlewareOptions): Promise<MiddlewareResult> => {
    const held = ctx?.[contextKey];
    if (held instanceof Session) return next();
    if (!isAwake(held)) {
      throw toTRPCError(
        new SessionError(
          "INVALID_OPTION",
          `ctx.${contextKey} is not awake: return { ${contextKey}: sessions.wake(opts) } from createContext`,
        ),
      );
    }
    const request = held.requestOf({ type, path });
    let call: Call;
    try {
      // A live stream is read by no foreign page, but it would take one of the session's few.
      if (type !== "query") request.guard();
      request.assertBatch();
      call = await request.begin();
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
      const items = itemsOf(result.data, signal);
      if (items && !call.fork.isFollowed) {
        call.linger();
        const lived = type === "subscription" ? following(items, request.living(call.fork)) : items;
        return { ...result, data: lasting(lived, call) };
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
  // tRPC marks what `next` gives with a type of its own, which is handed on untouched.
  return middleware as unknown as SessionMiddleware<D, K>;
}
