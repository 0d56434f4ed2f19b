import { serialize } from "cookie";

/** The attributes of a cookie, in the names that frameworks' cookie jars use. */
export interface CookieAttributes {
  readonly httpOnly: true;
  readonly secure: boolean;
  readonly sameSite: "strict" | "lax" | "none";
  readonly path: string;
  readonly domain?: string;
  readonly partitioned?: true;
  readonly priority?: "low" | "medium" | "high";
  /** Seconds. Without it the cookie goes when the browser is closed. */
  readonly maxAge?: number;
}

/** A cookie on its way to a browser. */
export interface Cookie {
  readonly name: string;
  readonly value: string;
  readonly attributes: CookieAttributes;
}

/** What browsers know a cookie by, and how it is sent. */
export interface CookieScope {
  readonly name: string;
  /** The name is followed by the port of the request's host: every port of a machine shares one jar of insecure cookies. */
  readonly hasPort: boolean;
  readonly attributes: CookieAttributes;
}

/** How the session's cookie is sent. */
export interface CookieSettings extends CookieScope {
  /** Whether it stays when the browser is closed, in sessions that say nothing of their own (`setPersistent`). */
  readonly persistent: boolean;
  /** Scopes that it had before. */
  readonly former: readonly CookieScope[];
}

/** The name of a scope's cookie in a request to `host`. */
export function nameIn({ name, hasPort }: CookieScope, host: string | null): string {
  const port = hasPort && host !== null ? /:(\d{1,5})$/.exec(host)?.[1] : undefined;
  return port === undefined ? name : `${name}-${port}`;
}

/** The different contents of the cookies that have this name in a request's `Cookie` header. */
export function contentsOf(header: string | null, name: string): readonly string[] {
  if (!header?.includes(name)) return [];
  const contents = new Set<string>();
  for (const pair of header.split(";")) {
    const at = pair.indexOf("=");
    if (at >= 0 && pair.slice(0, at).trim() === name) contents.add(pair.slice(at + 1).trim());
  }
  return [...contents];
}

/** The cookie that hands out a token for `seconds`; `null`: until the browser is closed. */
export function writeCookie(scope: CookieScope, host: string | null, token: string, seconds: number | null): Cookie {
  const lasting = seconds === null ? {} : { maxAge: Math.max(0, Math.ceil(seconds)) };
  return { name: nameIn(scope, host), value: token, attributes: { ...scope.attributes, ...lasting } };
}

/** The cookie that takes the one before back. */
export const expireCookie = (scope: CookieScope, host: string | null): Cookie => writeCookie(scope, host, "", 0);

/** The cookie as a `Set-Cookie` header. */
export function serializeCookie({ name, value, attributes }: Cookie): string {
  return serialize(name, value, attributes);
}
