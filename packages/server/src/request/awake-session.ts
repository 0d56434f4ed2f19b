import { type AnyDefinition, after, type Session, type SessionSnapshot } from "@catnap/shared";
import type { Exchange, RequestInfo } from "../exchange/exchange.ts";
import { callable, invalid, known } from "../option-checks.ts";
import type { Settings } from "../settings.ts";
import { refuseMethodsOfSession } from "./not-a-session.ts";
import { RequestSession, type RequestShared } from "./request-session.ts";
import { isRedirectResponse, transact } from "./transaction.ts";

/** How a transaction is run. */
export interface RunOptions {
  /**
   * Whether what `run`'s function throws is your framework's redirect: then its changes are committed before it travels on. A
   * thrown `Response` below 400 always is one.
   */
  readonly isRedirect?: (thrown: unknown) => boolean;
}

/** How a transaction around a whole application is run. */
export interface AroundOptions extends RunOptions {
  /** `false`: the answer is not held back, since the framework tells when it is about to leave. */
  readonly holds?: boolean;
}

const safeMethods = new Set(["GET", "HEAD", "OPTIONS"]);

/** For so long the application may take until it reads `headers`, in milliseconds. */
const readMs = 1_000;

/**
 * The session that a request has awoken: what `sessions.wake` gives. It goes into a tRPC context, where the middleware puts
 * the `Session` in its place; anywhere else it is worked on by `run`, read by `read`, and handed to a page by `snapshot`.
 */
export class AwakeSession<D extends AnyDefinition = AnyDefinition> {
  static {
    refuseMethodsOfSession(AwakeSession.prototype);
  }

  /** Types only: whose sessions these are. */
  declare readonly "~definition"?: D;
  readonly #settings: Settings;
  readonly #shared: RequestShared;
  readonly #exchange: Exchange;
  readonly #request: RequestSession;
  /** The place's request. */
  readonly #source: object;
  #headersRead = false;

  constructor(
    settings: Settings,
    shared: RequestShared,
    exchange: Exchange,
    info: RequestInfo | undefined,
    reason: string,
    source: object,
  ) {
    this.#settings = settings;
    this.#source = source;
    this.#shared = shared;
    this.#exchange = exchange;
    this.#request = new RequestSession(settings, shared, exchange, info, reason);
  }

  /**
   * One transaction: hands the session to `work`, commits what it has written when it returns, and resolves to what it
   * returned, of whatever type. When it throws, or returns a `Response` of 500 or more, nothing is committed; a redirect that
   * is thrown is no failure. Where you answer by `res` or `reply`, the answer waits for the commit, and the transaction ends
   * with it at the latest.
   *
   * Throws `CROSS_SITE` before `work` is called when a page of another site made the browser send a request that may change
   * something, and what the commit throws, such as `CONFLICT` or `STORE_UNAVAILABLE`.
   */
  async run<R>(work: (session: Session<D>) => R | Promise<R>, options: RunOptions = {}): Promise<R> {
    if (typeof work !== "function")
      throw invalid("run takes a function that works on the session: run((session) => …)");
    known("run", options, ["isRedirect"]);
    const { isRedirect } = options;
    if (isRedirect !== undefined) callable("run: isRedirect", isRedirect, "isRedirect of your router");
    const { method } = this.#exchange;
    if (method !== null && !safeMethods.has(method)) this.#request.guard();
    return this.around(work, options);
  }

  /**
   * `run` for a middleware around a whole application, much of which may have nothing to do with the session: what a page of
   * another site asks for is refused when it is about to change the session, and not before.
   */
  async around<R>(
    work: (session: Session<D>) => R | Promise<R>,
    { isRedirect, holds = true }: AroundOptions = {},
  ): Promise<R> {
    const { hold } = this.#exchange;
    const { around } = this.#shared;
    const call = await this.#request.begin();
    const outermost = !around.has(this.#source);
    if (outermost) around.set(this.#source, this.#request);
    const held = holds && this.#exchange.canSetCookie() ? hold?.() : undefined;
    // The settings' class is the app's own, made for this definition.
    const typed = work as unknown as (session: Session) => R | Promise<R>;
    try {
      return await transact(call, held, typed, (thrown) => isRedirectResponse(thrown) || isRedirect?.(thrown) === true);
    } finally {
      if (outermost) around.delete(this.#source);
      this.#expectReader();
    }
  }

  /**
   * Hands the session to `work` to be read: for places that can set no cookie, such as server components. A write throws
   * `SESSION_CLOSED`. Nothing is rotated or renewed, no ticket redeemed, no hook called; that the session was used is noted.
   */
  async read<R>(work: (session: Session<D>) => R | Promise<R>): Promise<R> {
    if (typeof work !== "function") throw invalid("read takes a function that reads the session: read((session) => …)");
    const session = await this.#request.read();
    return work(session as unknown as Session<D>);
  }

  /**
   * The state for a server-rendered page's `initialSnapshot`, with what this request has changed so far, through this object
   * or a middleware; no secret values. Within a middleware the store is not read again. The page is this visitor's alone:
   * where Catnap cannot tell caches so itself, say `Cache-Control: private, no-cache`.
   */
  async snapshot(): Promise<SessionSnapshot> {
    this.#exchange.keepPrivate();
    return (this.#shared.around.get(this.#source) ?? this.#request).snapshot();
  }

  /**
   * What the session wants on your response (`Set-Cookie`, `Cache-Control`, `Vary`), where it was awoken by a `Request` or a
   * Lambda event, which lead to none: put them there after `run` or `snapshot`. Throws `INVALID_OPTION` elsewhere, where they
   * get there by themselves.
   */
  get headers(): Headers {
    const { headers } = this.#exchange;
    if (!headers) throw invalid("headers is for a session awoken by a Request: here they are on the response already");
    this.#headersRead = true;
    return headers;
  }

  /** The request in which a call of tRPC's takes place: a connection brings many, and each of them is a request of its own. */
  requestOf({ type, path }: { type: string; path: string }): RequestSession {
    if (!this.#exchange.disconnect) return this.#request;
    const info = { accept: null, type, isBatchCall: false, calls: [{ path, procedure: undefined }], url: null };
    return new RequestSession(this.#settings, this.#shared, this.#exchange, info, path);
  }

  /** In development: a cookie that nobody puts on the response logs somebody out, and nothing would say why. */
  #expectReader(): void {
    const { headers } = this.#exchange;
    // The environment last: to look there takes longer than all else.
    if (!headers?.has("set-cookie") || this.#headersRead || process.env.NODE_ENV === "production") return;
    after(
      readMs,
      () => {
        if (this.#headersRead) return;
        console.warn(
          "catnap: wake(request).run has a cookie to set, and nobody has read .headers: put them on your response, or call sessions.run(request, handler), which does",
        );
      },
      true,
    );
  }
}
