import type { Sessions } from "@catnap/server";
import { addHeaders } from "@catnap/server/fetch-api";
import { type AnyDefinition, type Session, SessionError } from "@catnap/shared";
import type { MiddlewareHandler } from "hono";
import { answerOf } from "./answer.ts";
import { assertSessions } from "./checked.ts";

/** What `honoSession` puts into a context: `new Hono<{ Variables: SessionVariables<typeof shop> }>()`. */
export interface SessionVariables<D extends AnyDefinition> {
  session: Session<D>;
}

/**
 * Hono's middleware: gives every request its session as `c.var.session`, of one transaction that is committed before the
 * answer leaves. A handler that throws, or answers with 500 or more, changes nothing; a redirect that is thrown does.
 *
 * What the session refuses goes to the app's `onError` with a `status`, and Hono's own answers it so: `STORE_UNAVAILABLE` is
 * a 503 with `Retry-After`. `CROSS_SITE` comes when a page of another site would change the session, and not before.
 */
export function honoSession<D extends AnyDefinition>(
  sessions: Pick<Sessions<D>, "wake">,
): MiddlewareHandler<{ Variables: SessionVariables<D> }> {
  assertSessions("honoSession", sessions);
  answerInHono();
  return async (c, next) => {
    const awake = sessions.wake(c.req.raw);
    const work = async (session: Session<D>) => {
      c.set("session", session);
      await next();
      // Hono has made an answer of what the handler has thrown.
      if (c.error) throw c.error;
      return c.res;
    };
    const isRedirect = () => c.res.status >= 300 && c.res.status < 400;
    try {
      await awake.around(work, { isRedirect });
    } catch (error) {
      if (error !== c.error) throw error;
    }
    const answer = addHeaders(c.res, awake.headers);
    c.res = undefined; // or Hono merges the headers of both
    c.res = answer;
  };
}

/** Hono's error handler asks an error for its answer. */
function answerInHono(): void {
  Object.defineProperty(SessionError.prototype, "getResponse", {
    configurable: true,
    value(this: SessionError) {
      return answerOf(this);
    },
  });
}
