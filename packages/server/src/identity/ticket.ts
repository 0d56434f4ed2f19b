import { parseToken, type Token } from "./tokens.ts";

const parameter = "_SID_";

/** The URL with a ticket in place of one that it had. Only its query changes: it may be relative, and keeps its fragment. */
export function withTicket(url: string, ticket: string): string {
  const [, path = "", query = "", hash = ""] = /^([^?#]*)(?:\?([^#]*))?(#.*)?$/s.exec(url) ?? [];
  const others = query.split("&").filter((pair) => pair !== "" && pair.split("=")[0] !== parameter);
  return `${path}?${[...others, `${parameter}=${ticket}`].join("&")}${hash}`;
}

/** The ticket that a URL carries, used or not; `null` where it carries none of the form that Catnap issues. */
export function ticketIn(url: string): Token | null {
  if (!url.includes(`${parameter}=`) || !URL.canParse(url, "http://host.invalid")) return null;
  return parseToken(new URL(url, "http://host.invalid").searchParams.get(parameter) ?? "");
}
