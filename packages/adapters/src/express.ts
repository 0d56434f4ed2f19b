import type { IncomingMessage, ServerResponse } from "node:http";
import type { Sessions } from "@catnap/server";
import type { AnyDefinition } from "@catnap/shared";
import { assertSessions } from "./checked.ts";
import { closed } from "./closed.ts";

/** A middleware of Express's, Connect's, and whatever else takes theirs. */
export type ExpressMiddleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void;

/**
 * Express's middleware: gives every request its session as `req.session`, of one transaction that ends with the answer. The
 * answer waits until what the request has changed is committed, and has the cookie. An answer of 500 or more drops the
 * changes, and so does a handler's failure that is answered so.
 *
 * What the session refuses goes to `next`, whose error handlers find `status` and `headers` on it: `STORE_UNAVAILABLE` is
 * a 503 with `Retry-After`. `CROSS_SITE` comes when a page of another site would change the session, and not before.
 */
export function expressSession<D extends AnyDefinition>(sessions: Pick<Sessions<D>, "wake">): ExpressMiddleware {
  assertSessions("expressSession", sessions);
  return (req, res, next) => {
    sessions
      .wake({ req, res })
      .around((session) => {
        Object.assign(req, { session });
        next();
        return closed(res);
      })
      .catch(next);
  };
}
