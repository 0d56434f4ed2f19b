import { boolean, invalid, known, list, oneOf, shown } from "../option-checks.ts";
import type { CookieScope, CookieSettings } from "./cookie.ts";

/** How the session's cookie is sent. The defaults are the strictest that still let a link from elsewhere find the session. */
export interface CookieOptions {
  /**
   * Default `__Host-` and the definition's name; without `__Host-` where a `domain`, a `path` or an insecure cookie rules it
   * out. The default name of an insecure cookie ends with the port that the request went to, such as `catnap-3000`.
   */
  readonly name?: string;
  /** Default `lax`. `none` is for a page of another site, which then must be listed in `origins`. */
  readonly sameSite?: "strict" | "lax" | "none";
  /** Shares the session with the sub-domains. Default: this host alone. */
  readonly domain?: string;
  /** Default `/`. */
  readonly path?: string;
  /**
   * `false` is for plain HTTP, outside production (`NODE_ENV`), while every one of `origins` is `http://`; it is the default
   * there as long as all of them are on this machine.
   */
  readonly secure?: boolean;
  /** `false`: the cookie goes when the browser is closed, unless a session says `setPersistent(true)`. Default `true`. */
  readonly persistent?: boolean;
  /** A session of its own for each site that embeds your pages (CHIPS); with `sameSite: "none"`. Default `false`. */
  readonly partitioned?: boolean;
  /** Which cookies Chromium drops first when a site has too many. Default: the browser's, `medium`. */
  readonly priority?: "low" | "medium" | "high";
  /**
   * The scopes that the cookie had before you changed them, at most 4: their cookies are read once more, get a successor of
   * today's scope, and are expired. Take one out again when `lifetime` has passed since the change.
   */
  readonly former?: readonly FormerCookie[];
}

/** An earlier scope of the cookie. What is left out is as by default in `CookieOptions`; `name`: as it is today. */
export interface FormerCookie {
  readonly name?: string;
  readonly domain?: string;
  readonly path?: string;
  readonly partitioned?: boolean;
}

const optionNames: readonly (keyof CookieOptions)[] = [
  ...(["name", "sameSite", "domain", "path", "secure", "persistent", "partitioned", "priority", "former"] as const),
];
const maxFormer = 4;

/**
 * The options, checked as a browser would, with their defaults. `app` is the definition's name. Throws `INVALID_OPTION` for
 * those that would weaken the cookie, or that a browser would refuse.
 */
export function settleCookie(cookie: CookieOptions, origins: ReadonlySet<string>, app: string): CookieSettings {
  known("cookie", cookie, optionNames);
  const { sameSite = "lax", persistent = true, priority, former = [] } = cookie;
  const secure = settleSecure(cookie.secure, origins);
  boolean("cookie.persistent", persistent);
  oneOf("cookie.sameSite", sameSite, ["strict", "lax", "none"]);
  if (sameSite === "none" && !secure) throw invalid('cookie.sameSite "none" needs a secure cookie');
  if (priority !== undefined) oneOf("cookie.priority", priority, ["low", "medium", "high"]);
  const fixed = { httpOnly: true, secure, sameSite, ...(priority !== undefined && { priority }) } as const;

  const scope = (what: string, options: FormerCookie): CookieScope => {
    const { domain, path = "/", partitioned = false } = options;
    boolean(`${what}.partitioned`, partitioned);
    if (partitioned && !secure) throw invalid(`${what}.partitioned needs a secure cookie`);
    if (domain !== undefined) checkDomain(`${what}.domain`, domain);
    if (!pathPattern.test(path)) {
      throw invalid(`${what}.path is ${shown(path)}: write a path that begins with "/", without ";", such as "/shop"`);
    }
    const canPrefix = secure && domain === undefined && path === "/";
    const given = options.name ?? cookie.name;
    const name = given ?? (canPrefix ? `__Host-${app}` : app);
    if (given !== undefined) checkName(`${what}.name`, given, canPrefix, secure);
    const where = { path, ...(domain !== undefined && { domain }), ...(partitioned && { partitioned }) };
    return { name, hasPort: given === undefined && !secure, attributes: { ...fixed, ...where } };
  };

  const today = scope("cookie", cookie);
  const seen = new Set([keyOf(today)]);
  const scopes = list("cookie.former", former, '[{ name: "sid" }]').map((each, i) => {
    const what = `cookie.former[${i}]`;
    known(what, each, ["name", "domain", "path", "partitioned"]);
    const one = scope(what, each);
    if (seen.has(keyOf(one)))
      throw invalid(`${what} is the cookie of today, or one before it in the list: name a scope that it had before`);
    seen.add(keyOf(one));
    return one;
  });
  if (scopes.length > maxFormer)
    throw invalid(`cookie.former has ${scopes.length} scopes: name ${maxFormer} at most, the latest`);
  return { ...today, persistent, former: scopes };
}

/** What a browser tells cookies apart by. */
const keyOf = ({ name, attributes: { domain, path, partitioned } }: CookieScope) =>
  [name, domain?.replace(/^\./, "").toLowerCase(), path, partitioned].join(";");

/** One line a process. */
let hasWarned = false;

function settleSecure(secure: boolean | undefined, origins: ReadonlySet<string>): boolean {
  const urls = [...origins].map((origin) => new URL(origin));
  const isPlain = urls.length > 0 && urls.every(({ protocol }) => protocol === "http:");
  const isLocal = isPlain && urls.every(({ hostname }) => loopback.has(hostname));
  const isProduction = process.env.NODE_ENV === "production";
  if (secure === undefined) return isProduction || !isLocal;
  boolean("cookie.secure", secure);
  if (secure) return true;
  const why = "a token must not travel in the clear";
  if (isProduction) {
    throw invalid(
      `cookie.secure is false, and NODE_ENV is production: ${why}. Serve HTTPS, and leave cookie.secure out`,
    );
  }
  if (!isPlain) {
    throw invalid(
      `cookie.secure is false, but origins are not all http://: ${why}. List the http:// origins that you develop at, or leave cookie.secure out`,
    );
  }
  if (!isLocal && !hasWarned) {
    hasWarned = true;
    console.warn(
      `catnap: COOKIE.SECURE IS FALSE for ${[...origins].join(", ")}: whoever shares the network can read the session's token and take the session. For development alone`,
    );
  }
  return false;
}

const loopback = new Set(["localhost", "127.0.0.1", "[::1]"]);

function checkName(what: string, name: string, canPrefix: boolean, secure: boolean): void {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(name)) {
    throw invalid(`${what} is ${shown(name)}: use 1 to 64 letters, digits, "_" and "-"`);
  }
  // Browsers take the prefixes in any letter case.
  if (/^__host-/i.test(name) && !canPrefix) {
    throw invalid(`${what} starts with "__Host-", which rules out domain, another path, and an insecure cookie`);
  }
  if (/^__secure-/i.test(name) && !secure)
    throw invalid(`${what} starts with "__Secure-", which needs a secure cookie`);
}

/** Visible ASCII without the `;` that ends an attribute. */
const pathPattern = /^\/[\x21-\x3a\x3c-\x7e]*$/;
const label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
const domainPattern = new RegExp(`^\\.?(?=.{1,253}$)${label}(?:\\.${label})+$`);

function checkDomain(what: string, domain: string): void {
  const isAddress = /^[\d.]+$/.test(domain);
  if (typeof domain === "string" && domainPattern.test(domain) && !isAddress) return;
  const why = isAddress ? "browsers take no Domain from an address" : "no scheme, port or path belongs in it";
  throw invalid(`${what} is ${shown(domain)}: write a host name such as "shop.example", since ${why}`);
}
