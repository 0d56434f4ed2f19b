import type { AwakeSession, CookieAttributes, Sessions } from "@catnap/server";
import { addHeaders, isRequest, isResponse } from "@catnap/server/fetch-api";
import { type AnyDefinition, type Session, SessionError, type SessionSnapshot } from "@catnap/shared";
import { answerOf } from "./answer.ts";
import { assertSessions } from "./checked.ts";

/** The sessions of an app of Next's: what `createNextSessions` gives. */
export interface NextSessions<D extends AnyDefinition> {
  /**
   * The session, to be read in a server component: a write throws `SESSION_CLOSED`. With a function, what it returns.
   * Each call reads the store; `cache(() => readSession())` of React's reads it once a render.
   */
  readSession(): Promise<Session<D>>;
  readSession<R>(read: (session: Session<D>) => R | Promise<R>): Promise<R>;
  /**
   * A server action or a route handler with a session before its arguments: one transaction, committed when it returns or
   * redirects, dropped when it throws (`notFound()` throws) or answers with 500 or more.
   *
   * What the session refuses is thrown, and is the answer of a route handler, with its `status`: `STORE_UNAVAILABLE` is a 503
   * with `Retry-After`. `CROSS_SITE` comes before `work` is called.
   */
  withSession<A extends unknown[], R>(
    work: (session: Session<D>, ...args: A) => R | Promise<R>,
  ): (...args: A) => Promise<R>;
  /** The state for `SessionProvider`'s or `createSessionClient`'s `initialSnapshot`, in a layout or a page. No secret values. */
  snapshot(): Promise<SessionSnapshot>;
}

/** The part of `next/headers` that is used. */
export interface NextHeaders {
  cookies(): Promise<{
    getAll(): readonly { readonly name: string; readonly value: string }[];
    set(name: string, value: string, attributes: CookieAttributes): unknown;
  }>;
  headers(): Promise<{ get(name: string): string | null }>;
}

// @ts-expect-error The app has it.
const nextHeaders = (): Promise<NextHeaders> => import("next/headers.js");

/** Next throws a redirect, which is no failure. */
const isRedirect = (thrown: unknown) =>
  String((thrown as { digest?: unknown } | null | undefined)?.digest).startsWith("NEXT_REDIRECT");

/**
 * Sessions in Next's App Router, by its own `cookies()` and `headers()`; pages of the Pages Router pass their `{ req, res }`
 * to `sessions.wake`. `place` is where `next/headers` comes from.
 */
export function createNextSessions<D extends AnyDefinition>(
  sessions: Pick<Sessions<D>, "wake">,
  place: () => Promise<NextHeaders> = nextHeaders,
): NextSessions<D> {
  assertSessions("createNextSessions", sessions);

  async function awaken(answers?: { request: Request | null; headers: Headers }): Promise<AwakeSession<D>> {
    const { cookies, headers } = await place();
    const [jar, sent] = await Promise.all([cookies(), headers()]);
    // As an action of the same request has left them; an empty one has just been removed.
    const cookie = jar.getAll().map(({ name, value }) => (value === "" ? "" : `${name}=${value}`));
    const get = (name: string) => (name === "cookie" ? cookie.filter(Boolean).join("; ") || null : sent.get(name));
    if (!answers) return sessions.wake({ headers: { get } });
    return sessions.wake({
      headers: { get },
      method: answers.request?.method ?? "POST", // which is how a browser calls an action
      ...(answers.request && { url: answers.request.url }),
      setCookie: (name, value, attributes) => jar.set(name, value, attributes),
      setHeader: (name, value) => answers.headers.set(name, value),
    });
  }

  return {
    async readSession<R>(read: (session: Session<D>) => R | Promise<R> = (session) => session as R): Promise<R> {
      return (await awaken()).read(read);
    },
    withSession(work) {
      return async (...args) => {
        const [first] = args;
        const headers = new Headers();
        const request = isRequest(first) ? first : null;
        const awake = await awaken({ request, headers });
        try {
          const result = await awake.run((session) => work(session, ...args), { isRedirect });
          // What `work` returns is a response where Next expects one.
          return isResponse(result) ? (addHeaders(result, headers) as typeof result) : result;
        } catch (thrown) {
          // Next answers whatever a route handler throws with 500. A response is what it expects of one.
          const refusal = request && SessionError.from(thrown);
          if (refusal && refusal.status !== 500) return answerOf(refusal) as never;
          throw thrown;
        }
      };
    },
    snapshot: async () => (await awaken()).snapshot(),
  };
}
