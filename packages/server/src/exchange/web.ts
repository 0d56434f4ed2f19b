import { type Cookie, type CookieAttributes, serializeCookie } from "../identity/cookie.ts";
import { keptPrivate, variedByCookie } from "./caching.ts";
import type { Exchange, RequestInfo } from "./exchange.ts";
import { type HeadersLike, headerIn } from "./headers.ts";

/** What tRPC's fetch adapter hands over; for other places a `Request` and the headers of the response to be. */
export interface FetchSource {
  readonly req: { readonly headers: Headers; readonly url: string; readonly method?: string };
  readonly resHeaders: Headers;
  readonly info?: RequestInfo;
}

/** What any other place has of a request and its response. */
export interface PlainSource {
  /** The request's headers: a `Headers`, Next's `await headers()`, or Node's record. */
  readonly headers: HeadersLike;
  readonly url?: string;
  readonly method?: string;
  /** Sets a cookie of the response, as frameworks' cookie jars do. Without it, what needs a cookie throws `HEADERS_SENT`. */
  readonly setCookie?: (name: string, value: string, attributes: CookieAttributes) => unknown;
  /** Sets another header of the response. Without it, `Cache-Control` and `Vary` are left to the caller. */
  readonly setHeader?: (name: string, value: string) => unknown;
  readonly info?: RequestInfo;
}

/** The event of a Lambda function, of either version, as tRPC's adapter hands it over. */
export interface LambdaSource {
  readonly event: {
    readonly headers?: HeadersLike | null;
    /** Version 2 has the cookies here, and not among the headers. */
    readonly cookies?: readonly string[] | undefined;
    readonly rawPath?: string;
    readonly rawQueryString?: string;
    readonly path?: string;
    readonly httpMethod?: string;
    readonly requestContext?: {
      readonly http?: { readonly method?: string; readonly sourceIp?: string };
      readonly identity?: { readonly sourceIp?: string | null };
    };
  };
  readonly info?: RequestInfo;
}

export function ofFetch({ req, resHeaders }: Omit<FetchSource, "info">): Exchange {
  return {
    method: req.method?.toUpperCase() ?? null,
    header: (name) => req.headers.get(name),
    host: req.headers.get("host") ?? hostOf(req.url),
    url: req.url,
    address: null,
    ...into(resHeaders),
  };
}

/** What the session wants of the response is collected, for the application to put on it. */
export function ofRequest(req: Request): Exchange {
  const headers = new Headers();
  return Object.assign(ofFetch({ req, resHeaders: headers }), { headers });
}

export function ofLambda({ event }: LambdaSource): Exchange {
  const { cookies, requestContext } = event;
  // The console's own test events have `null` here.
  const headers = event.headers ?? {};
  const collected = new Headers();
  const query = event.rawQueryString ? `?${event.rawQueryString}` : "";
  return {
    method: (requestContext?.http?.method ?? event.httpMethod)?.toUpperCase() ?? null,
    header: (name) => (name === "cookie" && cookies ? cookies.join("; ") : headerIn(headers, name)),
    host: headerIn(headers, "host"),
    url: event.rawPath === undefined ? (event.path ?? null) : `${event.rawPath}${query}`,
    address: requestContext?.http?.sourceIp ?? requestContext?.identity?.sourceIp ?? null,
    ...into(collected),
    headers: collected,
  };
}

/** Puts on a response's headers what the session wants there. */
function into(headers: Headers) {
  return {
    canSetCookie: () => true,
    setCookie: (cookie: Cookie) => {
      headers.append("set-cookie", serializeCookie(cookie));
      return true;
    },
    setHeader: (name: string, value: string) => headers.set(name, value),
    keepPrivate: () => {
      // tRPC adds these to its own headers, after the app's responseMeta, which has the last word there.
      headers.set("cache-control", keptPrivate(headers.get("cache-control") ?? ""));
      headers.set("vary", variedByCookie(headers.get("vary") ?? ""));
    },
  };
}

export function ofPlain({ headers, url, method, setCookie, setHeader }: PlainSource): Exchange {
  let failure: unknown;
  return {
    method: method?.toUpperCase() ?? null,
    header: (name) => headerIn(headers, name),
    canSetCookie: () => setCookie !== undefined && failure === undefined,
    setCookie: ({ name, value, attributes }) => {
      try {
        setCookie?.(name, value, attributes);
      } catch (error) {
        // A framework's jar throws where no cookie can be set any more, and may be asked in no other way.
        failure = error;
      }
      return setCookie !== undefined && failure === undefined;
    },
    get failure() {
      return failure;
    },
    setHeader: (name, value) => void setHeader?.(name, value),
    keepPrivate: () => {
      setHeader?.("cache-control", keptPrivate(""));
      setHeader?.("vary", variedByCookie(""));
    },
    host: headerIn(headers, "host") ?? hostOf(url),
    url: url ?? null,
    address: null,
  };
}

/** A `Request` that a program has made has no `Host`, and names it in its URL. */
function hostOf(url: string | undefined): string | null {
  return url !== undefined && URL.canParse(url) ? new URL(url).host : null;
}
