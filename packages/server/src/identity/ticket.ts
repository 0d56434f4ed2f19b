import { SessionError } from "@catnap/shared";
import { invalid, shown } from "../option-checks.ts";
import { parseToken, type Token } from "./tokens.ts";

const parameter = "_SID_";

/** The URL with a ticket in place of one that it had. Only its query changes: it may be relative, and keeps its fragment. */
export function withTicket(url: string, ticket: string): string {
  const [, path = "", query = "", hash = ""] = /^([^?#]*)(?:\?([^#]*))?(#.*)?$/s.exec(url) ?? [];
  const others = query.split("&").filter((pair) => pair !== "" && pair.split("=")[0] !== parameter);
  return `${path}?${[...others, `${parameter}=${ticket}`].join("&")}${hash}`;
}

/**
 * Throws `INVALID_OPTION` for a URL of another server than this one, `host`, and those of `origins`: whoever gets it gets the
 * session.
 */
export function assertTicketUrl(url: string, host: string | null, origins: ReadonlySet<string>): void {
  if (typeof url !== "string") throw invalid(`sessionEncode takes a URL as text, not ${shown(url)}: pass url.href`);
  const base = "http://host.invalid";
  const target = URL.canParse(url, base) ? new URL(url, base) : null;
  const isOwn = target?.host === new URL(base).host || (host !== null && target?.host === host);
  if (target && (target.protocol === "http:" || target.protocol === "https:")) {
    if (isOwn || origins.has(target.origin)) return;
  }
  throw new SessionError(
    "INVALID_OPTION",
    `sessionEncode hands the session to whoever gets the URL: pass one of this server, or list ${target ? JSON.stringify(target.origin) : "its origin"} in createSessions({ origins })`,
  );
}

/** The ticket that a URL carries, used or not; `null` where it carries none of the form that Catnap issues. */
export function ticketIn(url: string): Token | null {
  if (!url.includes(`${parameter}=`) || !URL.canParse(url, "http://host.invalid")) return null;
  return parseToken(new URL(url, "http://host.invalid").searchParams.get(parameter) ?? "");
}
