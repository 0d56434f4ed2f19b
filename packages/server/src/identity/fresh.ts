import { type AnyDefinition, homeOf, Session, SessionError, type SessionHome } from "@catnap/shared";
import type { TRPCMiddlewareFunction } from "@trpc/server";
import { seconds as checkSeconds } from "../option-checks.ts";
import { toTRPCError } from "../trpc-error.ts";

/** The type of `requireFresh`'s middleware: it asks for the `Session` that `sessions.middleware` has left, and changes nothing. */
export type FreshMiddleware<D extends AnyDefinition, K extends string> = TRPCMiddlewareFunction<
  { [P in K]: Session<D> },
  object,
  object,
  object,
  unknown
>;

/** A session's home on the server, which knows how fresh a login is. */
export interface ProvenHome extends SessionHome {
  /** When somebody has logged in with the token of this request, or with one that it has come of; `null`: nobody has. */
  provenAt(): number | null;
}

/** Refuses a procedure unless somebody has logged in, on this session, within the last so many seconds. */
export function createFreshMiddleware<D extends AnyDefinition, K extends string>(
  contextKey: K,
  seconds: number,
  clock: () => number,
): FreshMiddleware<D, K> {
  checkSeconds("requireFresh", seconds);
  const middleware = async ({ ctx, next }: { ctx: Record<string, unknown> | undefined; next(): Promise<unknown> }) => {
    const session = ctx?.[contextKey];
    if (!(session instanceof Session)) {
      throw toTRPCError(
        new SessionError(
          "INVALID_OPTION",
          `ctx.${contextKey} is no session: use sessions.middleware before requireFresh`,
        ),
      );
    }
    // A session in the context of this server is one that the middleware has made, and its home a fork.
    const at = (homeOf(session) as ProvenHome).provenAt();
    if (at === null || at + seconds * 1000 <= clock()) throw toTRPCError(notFresh(seconds));
    return next();
  };
  // tRPC marks what `next` gives with a type of its own, which is handed on untouched.
  return middleware as unknown as FreshMiddleware<D, K>;
}

function notFresh(seconds: number): SessionError {
  return new SessionError(
    "NOT_FRESH",
    `This needs a login within the last ${seconds} seconds: ask for the password or passkey again, and call login()`,
  );
}
