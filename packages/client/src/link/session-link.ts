import { SessionError } from "@catnap/shared";
import type { TRPCLink } from "@trpc/client";
import type { AnyTRPCRouter } from "@trpc/server";
import { ClientSession } from "../session.ts";
import { LinkedCall } from "./linked-call.ts";
import { type LinkedTab, linkedTab } from "./linked-tab.ts";
import { type Observer, Piggyback } from "./piggyback.ts";

/**
 * A link for the app's tRPC client, before the one that ends it. A mutation is sent after what this tab has written to the
 * session, in the same HTTP request where the links behind it batch, so that its procedure sees it. Before its answer is
 * given, what the procedure changed shows in the session: one more request at most, and none when nothing changed.
 *
 * A mutation whose changes cannot be sent fails as they do, and did not run; they stay pending. When the server answers them
 * that their session has ended, it is sent without them. Queries do not wait for changes: `await session.sleep()` before one
 * that has to see them. Subscriptions, and calls of the session's own procedures, pass.
 *
 * Takes a function where the session is made later than the client; while that gives `undefined`, everything passes. Throws
 * `INVALID_OPTION` for anything else.
 */
export function sessionLink<R extends AnyTRPCRouter>(
  session: ClientSession | (() => ClientSession | undefined),
): TRPCLink<R> {
  if (typeof session !== "function" && !(session instanceof ClientSession))
    throw new SessionError(
      "INVALID_OPTION",
      "sessionLink wants what createSessionClient returns, or a function that gives it",
    );
  return () => {
    const piggyback = new Piggyback();
    let known: ClientSession | undefined;
    let linked: LinkedTab | undefined;
    return ({ op, next }) => {
      const client = typeof session === "function" ? session() : session;
      if (client !== known) {
        known = client;
        linked = client && linkedTab(client);
      }
      if (!linked || op.type === "subscription" || op.path.startsWith(linked.procedures)) return next(op);
      const parts = { linked, piggyback, op, next };
      const calls = {
        subscribe(observer: Observer) {
          const call = new LinkedCall({ ...parts, observer });
          call.start();
          return call;
        },
        pipe: (...operators: ((source: unknown) => unknown)[]) =>
          operators.reduce<unknown>((source, operator) => operator(source), calls),
      };
      // An observable as far as tRPC's clients and links know one; its own would bring tRPC into this package.
      return calls as unknown as ReturnType<typeof next>;
    };
  };
}
