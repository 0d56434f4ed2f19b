import { serialize } from "cookie";
import { boolean, invalid, known, oneOf, shown } from "../option-checks.ts";
import { parseToken, type Token } from "./tokens.ts";

/** The attributes of a cookie, in the names that frameworks' cookie jars use. */
export interface CookieAttributes {
  readonly httpOnly: true;
  readonly secure: boolean;
  readonly sameSite: "strict" | "lax" | "none";
  readonly path: string;
  readonly domain?: string;
  /** Seconds. */
  readonly maxAge?: number;
}

/** A cookie on its way to a browser. */
export interface Cookie {
  readonly name: string;
  readonly value: string;
  readonly attributes: CookieAttributes;
}

/** How the cookie is sent. */
export interface CookieSettings {
  readonly name: string;
  readonly attributes: CookieAttributes;
}

/**
 * Finds the token in a request's `Cookie` header. `"none"` when no cookie of that name came; `"refused"` when it is not
 * of the form that Catnap issues, or came more than once with different values: a browser sends two when another host of
 * the site planted one, and nothing tells which is which.
 */
export function readCookie(header: string | null | undefined, name: string): Token | "none" | "refused" {
  if (!header?.includes(name)) return "none";
  let found: string | null = null;
  for (const pair of header.split(";")) {
    const at = pair.indexOf("=");
    if (at < 0 || pair.slice(0, at).trim() !== name) continue;
    const content = pair.slice(at + 1).trim();
    if (found !== null && found !== content) return "refused";
    found = content;
  }
  if (found === null) return "none";
  return parseToken(found) ?? "refused";
}

/** The cookie that hands out a token for `seconds`; with an empty token and 0 it takes the one before back. */
export function writeCookie({ name, attributes }: CookieSettings, token: string, seconds: number): Cookie {
  return { name, value: token, attributes: { ...attributes, maxAge: Math.max(0, Math.ceil(seconds)) } };
}

/** The cookie as a `Set-Cookie` header. */
export function serializeCookie({ name, value, attributes }: Cookie): string {
  return serialize(name, value, attributes);
}

/** How the session's cookie is sent. The defaults are the strictest that still let a link from elsewhere find the session. */
export interface CookieOptions {
  /** Default `__Host-` and the definition's name; without `__Host-` where a `domain`, a `path` or an insecure cookie rules it out. */
  readonly name?: string;
  /** Default `lax`. `none` is for a page of another site, which then must be listed in `origins`. */
  readonly sameSite?: "strict" | "lax" | "none";
  /** Shares the session with the sub-domains. Default: this host alone. */
  readonly domain?: string;
  /** Default `/`. */
  readonly path?: string;
  /** `false` is accepted only while every one of `origins` is plain HTTP on this machine; then it is the default. */
  readonly secure?: boolean;
}

/**
 * The options, checked as a browser would, with their defaults. `app` is the definition's name. Throws `INVALID_OPTION` for
 * those that would weaken the cookie, or that a browser would refuse.
 */
export function settleCookie(cookie: CookieOptions, origins: ReadonlySet<string>, app: string): CookieSettings {
  known("cookie", cookie, ["name", "sameSite", "domain", "path", "secure"]);
  const local = origins.size > 0 && [...origins].every(isLocal);
  const { sameSite = "lax", domain, path = "/", secure = !local } = cookie;
  boolean("cookie.secure", secure);
  if (!secure && !local) {
    throw invalid(
      "cookie.secure is false, but origins are not all http://localhost: a token must not travel in the clear",
    );
  }
  oneOf("cookie.sameSite", sameSite, ["strict", "lax", "none"]);
  if (sameSite === "none" && !secure) throw invalid('cookie.sameSite "none" needs a secure cookie');
  if (domain !== undefined) checkDomain(domain);
  if (!pathPattern.test(path)) {
    throw invalid(`cookie.path is ${shown(path)}: write a path that begins with "/", without ";", such as "/shop"`);
  }
  const canPrefix = secure && domain === undefined && path === "/";
  const name = cookie.name ?? (canPrefix ? `__Host-${app}` : app);
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(name)) {
    throw invalid(`cookie.name is ${shown(name)}: use 1 to 64 letters, digits, "_" and "-"`);
  }
  // Browsers take the prefixes in any letter case.
  if (/^__host-/i.test(name) && !canPrefix) {
    throw invalid('cookie.name starts with "__Host-", which rules out domain, another path, and an insecure cookie');
  }
  if (/^__secure-/i.test(name) && !secure)
    throw invalid('cookie.name starts with "__Secure-", which needs a secure cookie');
  return { name, attributes: { httpOnly: true, secure, sameSite, path, ...(domain === undefined ? {} : { domain }) } };
}

/** Visible ASCII without the `;` that ends an attribute. */
const pathPattern = /^\/[\x21-\x3a\x3c-\x7e]*$/;
const label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
const domainPattern = new RegExp(`^\\.?(?=.{1,253}$)${label}(?:\\.${label})+$`);

function checkDomain(domain: string): void {
  const isAddress = /^[\d.]+$/.test(domain);
  if (typeof domain === "string" && domainPattern.test(domain) && !isAddress) return;
  const why = isAddress ? "browsers take no Domain from an address" : "no scheme, port or path belongs in it";
  throw invalid(`cookie.domain is ${shown(domain)}: write a host name such as "shop.example", since ${why}`);
}

function isLocal(origin: string): boolean {
  const { protocol, hostname } = new URL(origin);
  return protocol === "http:" && (hostname === "localhost" || hostname === "127.0.0.1" || hostname === "[::1]");
}
