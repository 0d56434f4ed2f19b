import { type AnyDefinition, maxOpsPerPush, Session, SessionError, type SessionErrorData } from "@catnap/shared";
import { addHeaders, isRequest, isResponse } from "./exchange/fetch-api.ts";
import { exchangeOf, infoOf, requestIn, type WakeSource } from "./exchange/sources.ts";
import { answerByStatus } from "./http-status.ts";
import { createFreshMiddleware, type FreshMiddleware } from "./identity/fresh.ts";
import { invalid } from "./option-checks.ts";
import { AwakeSession, type RunOptions } from "./request/awake-session.ts";
import { Guard } from "./request/guard.ts";
import { createMiddleware, type SessionMiddleware } from "./request/middleware.ts";
import { openSession } from "./request/open-session.ts";
import { RequestSession } from "./request/request-session.ts";
import { isRedirectResponse } from "./request/transaction.ts";
import { UnderWay } from "./request/under-way.ts";
import { type SessionsOptions, settle } from "./settings.ts";
import { expiresAt, type SessionRecord } from "./stores/store.ts";
import { createRouter, type SessionProcedure, type SessionRouterRecord } from "./sync/router.ts";
import { Streams } from "./sync/streams.ts";
import { AccessTimes } from "./upkeep/access-times.ts";
import { boundBy } from "./upkeep/clocks.ts";
import { Logins } from "./upkeep/logins.ts";
import { policyOf, type SessionPolicy } from "./upkeep/policy.ts";
import { type ListedSession, type ListQuery, type RevokeQuery, Subjects } from "./upkeep/subjects.ts";
import { Sweeper } from "./upkeep/sweeper.ts";
import { Turns } from "./upkeep/turns.ts";

/** The server's side of a definition: what `createSessions` returns. */
export interface Sessions<D extends AnyDefinition, K extends string = "session"> {
  /**
   * The one door: awakes the session of a request. Takes what the place has: a `Request`, `{ req, res }` of Node, Express or
   * Fastify, what tRPC hands to `createContext` over any adapter, or `{ headers, setCookie }` of anything else. What it gives
   * goes into a tRPC context as it is, or is used by `run`, `read` and `snapshot`. Parses the cookie; reads nothing yet.
   *
   * Throws `INVALID_OPTION` for a source that it does not know.
   */
  wake(source: WakeSource): AwakeSession<D>;
  /** For the app's procedures: turns what `wake` put into the context into the `Session`. Use it before other middleware. */
  readonly middleware: SessionMiddleware<D, K>;
  /**
   * For what the app changes outside `middleware` and `run` on behalf of a cookie: throws `CROSS_SITE` when a page of another
   * origin made the browser send this request. Takes what `wake` takes. Does not read the session; call it for methods other
   * than GET and HEAD.
   */
  guard(source: WakeSource): void;
  /** The session's procedures, built on the app's own procedure, for the app's router. */
  router<P>(options: { procedure: P & SessionProcedure<P, D, K> }): SessionRouterRecord<D>;
  /**
   * One transaction around a request handler: `wake(request).run(handler)`, whose response gets the session's cookie, and may
   * be kept by no cache (`Cache-Control: no-store` unless it says `private` itself, `Vary: Cookie`).
   */
  run(
    request: Request,
    handler: (session: Session<D>) => Response | Promise<Response>,
    options?: RunOptions,
  ): Promise<Response>;
  /** For the app's error formatter: what lets the browser know a `SessionError` again, as `data.session`. */
  errorData(error: unknown): { session: SessionErrorData | null };
  /**
   * For procedures that want a recent login: `procedure.use(sessions.requireFresh(300))`. Refuses with `NOT_FRESH` when
   * `login` was last called on this session more than so many seconds ago, or never. Put it after `middleware`.
   */
  requireFresh(seconds: number): FreshMiddleware<D, K>;
  /** What this configuration amounts to, for an auditor: `console.log(JSON.stringify(sessions.policy(), null, 2))`. No secrets. */
  policy(): SessionPolicy;
  /** The living sessions of a subject, to show them: device, first and last use, and which one asks; no values, no tokens. */
  list(query: ListQuery): Promise<ListedSession[]>;
  /**
   * One transaction on a living session without a request, from a job, a webhook or a support tool: hands the session to
   * `work`, commits what it has written when it returns, and resolves to what it returned. When it throws, nothing is
   * committed. It is no use of the session: its access time and `numTransactions` stay, and it expires no later. `invalidate`
   * ends it, as `revoke` does. Hooks are told of a transaction whose `reason` is `open`.
   *
   * Throws `SESSION_GONE` when there is no such session, or it is another app's, `SESSION_EXPIRED`, and what the commit
   * throws. `login`, `rotate` and `sessionEncode` throw `HEADERS_SENT`: what they make has to reach a browser.
   */
  open<R>(identifier: string, work: (session: Session<D>) => R | Promise<R>): Promise<R>;
  /**
   * Ends a session by its public identifier; says whether there was one. With `subject`, one of somebody else's or of nobody's
   * is as good as none: for an identifier that a user has sent. A missing subject is an error, never everybody.
   */
  revoke(identifier: string, query?: RevokeQuery): Promise<boolean>;
  /** Ends all sessions of a subject but `except` (an identifier); says how many. A missing subject is an error, never everybody. */
  revokeAll(query: { subject: string; except?: string }): Promise<number>;
  /** Ends every session that there is, of everybody, for the day after a leak; says how many. Under a name of its own, so that no missing argument can ask for it. */
  revokeEveryone(): Promise<number>;
  /** Removes expired sessions now, after their `expiring` hooks; says how many. */
  sweep(): Promise<number>;
  /**
   * Ends the live streams and accepts no other; their browsers come back, to the next process. For the beginning of a
   * shutdown: a server that waits for its open connections would wait for these for ever.
   */
  endStreams(): void;
  /**
   * Ends the live streams, waits up to ten seconds for the requests that are under way, writes what waits and stops the
   * timers and the store. `report` is told of requests that took longer. Closing twice does nothing.
   */
  close(): Promise<void>;
}

/**
 * Makes the server's side of a definition: sessions that awake with a request and sleep before its answer.
 *
 * Throws `INVALID_OPTION` for an option that is missing, weak, or contradicts another, and `INVALID_DEFINITION` for options of
 * `value` that do not exist or can never work.
 */
export function createSessions<D extends AnyDefinition, const K extends string = "session">(
  options: SessionsOptions<D, K>,
): Sessions<D, K> {
  answerByStatus();
  const settings = settle(options, Session);
  const { store, report, clock } = settings;
  const accessTimes = new AccessTimes(
    store,
    settings.touchIntervalMs,
    (error) => report({ kind: "background", error }),
    settings.waitUntil,
  );
  const streams = new Streams(settings.maxStreams);
  const subjects = new Subjects(settings, accessTimes);
  const logins = new Logins(settings, subjects);
  const turns = new Turns<SessionRecord>();
  const underWay = new UnderWay();
  const shared = { accessTimes, streams, subjects, logins, turns, underWay, around: new WeakMap() };
  const sweeper = new Sweeper(settings, accessTimes, expiring, () => underWay.enter());
  const contextKey = settings.contextKey as K;
  const middleware = createMiddleware<D, K>(contextKey, (candidate) => candidate instanceof AwakeSession);

  let closing: Promise<void> | undefined;

  async function close(): Promise<void> {
    sweeper.stop();
    streams.end();
    try {
      const left = await underWay.settled(closingMs);
      if (left > 0) report({ kind: "background", error: stillUnderWay(left) });
      await accessTimes.flush();
    } finally {
      accessTimes.stop();
      await store.close();
    }
  }

  async function expiring(record: SessionRecord): Promise<void> {
    const session = new settings.Session(RequestSession.over(settings, shared, record));
    const bound = boundBy(settings, record);
    const reason = expiresAt(bound) === bound.endsAt ? "lifetime" : "timeout";
    await settings.hooks?.expiring?.(session, reason);
    await session.expiring(reason);
  }

  function wake(source: WakeSource): AwakeSession<D> {
    sweeper.begin();
    const exchange = exchangeOf(source);
    const info = infoOf(source);
    const reason = info ? info.calls.map(({ path }) => path).join() : pathOf(exchange.url);
    return new AwakeSession<D>(settings, shared, exchange, info, reason, requestIn(source));
  }

  return {
    wake,
    guard(source) {
      const exchange = exchangeOf(source);
      new Guard(settings, exchange, pathOf(exchange.url)).pass();
    },
    middleware,
    router: (given) => createRouter(options.definition, contextKey, given?.procedure, middleware),
    async run(request, handler, options) {
      if (!isRequest(request))
        throw invalid("run takes a Request: for { req, res } of Node, Express or Fastify call wake({ req, res }).run");
      if (typeof handler !== "function")
        throw invalid("run takes a handler besides the request: run(request, (session) => new Response(…))");
      const awake = wake(request);
      try {
        const response = await awake.run(async (session) => {
          const answer = await handler(session);
          if (isResponse(answer)) return answer;
          throw invalid(
            "run's handler has returned no Response: return one, or call wake(request).run for other values",
          );
        }, options);
        return addHeaders(response, awake.headers);
      } catch (thrown) {
        // A redirect that is thrown travels with the cookie.
        throw isRedirectResponse(thrown) ? addHeaders(thrown, awake.headers) : thrown;
      }
    },
    policy: () => policyOf(settings, maxOpsPerPush),
    errorData: (error) => ({ session: brief(SessionError.from(error)?.toJSON() ?? null) }),
    requireFresh: (seconds) => createFreshMiddleware<D, K>(contextKey, seconds, clock),
    list: (query) => subjects.list(query),
    open: (identifier, work) => openSession(settings, shared, identifier, work),
    revoke: (identifier, ...query) => subjects.revoke(identifier, ...query),
    revokeAll: (query) => subjects.revokeAll(query),
    revokeEveryone: () => subjects.revokeEveryone(),
    sweep: () => sweeper.sweep(),
    endStreams: () => streams.end(),
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** So many of a schema's findings are told: for a value that is wrong all over the answer would be longer than it. */
const maxIssues = 10;

function brief(data: SessionErrorData | null): SessionErrorData | null {
  return data?.issues ? { ...data, issues: data.issues.slice(0, maxIssues) } : data;
}

/** For so long `close` waits for requests, in milliseconds. */
const closingMs = 10_000;

function stillUnderWay(count: number): SessionError {
  return new SessionError(
    "STORE_UNAVAILABLE",
    `${count} requests or sweeps were under way when sessions.close() had waited for ${closingMs / 1000} s: their changes are lost. Close the server first, and give its requests a time-out`,
  );
}

/** Where a request went, without its query; parsing the whole URL would cost more than reading the cookie. */
function pathOf(url: string | null): string {
  return (url !== null && /^(?:[a-z][a-z\d+.-]*:\/\/[^/?#]*)?(\/[^?#]*)/i.exec(url)?.[1]) || "request";
}
