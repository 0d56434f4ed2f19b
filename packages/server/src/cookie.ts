import { type SerializeOptions, serialize } from "cookie";
import { parseToken, type Token } from "./credentials.ts";

/** How the cookie is sent. */
export interface CookieSettings {
  readonly name: string;
  readonly attributes: Readonly<SerializeOptions>;
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

/** The `Set-Cookie` header that hands out a token for `seconds`; with an empty token and 0 it takes the cookie back. */
export function writeCookie({ name, attributes }: CookieSettings, token: string, seconds: number): string {
  return serialize(name, token, { ...attributes, maxAge: Math.max(0, Math.ceil(seconds)) });
}
