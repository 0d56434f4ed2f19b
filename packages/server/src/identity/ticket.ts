import type { Exchange } from "../request/exchange.ts";
import type { Settings } from "../settings.ts";
import type { SessionRecord } from "../stores/store.ts";
import { expiryOf } from "../upkeep/clocks.ts";
import { redeemed } from "./credentials.ts";
import { credentialsKey, formatCredentials, readCredentials } from "./credentials-text.ts";
import { mintSecret, parseToken } from "./tokens.ts";

const parameter = "_SID_";
const maxAttempts = 20;

/** The URL with a ticket in place of one that it had. Only its query changes: it may be relative, and keeps its fragment. */
export function withTicket(url: string, ticket: string): string {
  const [, path = "", query = "", hash = ""] = /^([^?#]*)(?:\?([^#]*))?(#.*)?$/s.exec(url) ?? [];
  const others = query.split("&").filter((pair) => pair !== "" && pair.split("=")[0] !== parameter);
  return `${path}?${[...others, `${parameter}=${ticket}`].join("&")}${hash}`;
}

/**
 * Lets in a request whose URL carries a good ticket: the ticket is used up and turned into a token of its own in one
 * step. `null` for any other request; a bad ticket is not told apart from none. Nor is one that a page of another site has
 * made the browser open, without a person's click: it would put its visitor into a session of its choice.
 */
export async function redeemTicket(
  { store, clock, tokens, ...clocks }: Settings,
  exchange: Exchange,
): Promise<{ record: SessionRecord; secret: string } | null> {
  const { url } = exchange;
  if (!url?.includes(`${parameter}=`) || !URL.canParse(url, "http://host.invalid") || !isWished(exchange)) return null;
  const ticket = parseToken(new URL(url, "http://host.invalid").searchParams.get(parameter) ?? "");
  if (!ticket || !tokens.owns(ticket.identifier)) return null;
  let record = await store.read(ticket.identifier);
  for (let attempt = 0; record && attempt < maxAttempts; attempt++) {
    const now = clock();
    const secret = mintSecret();
    const hashes = [tokens.hashTicket(ticket.secret), tokens.hash(secret)] as const;
    const credentials = redeemed(readCredentials(record), ...hashes, now);
    if (!credentials || expiryOf(clocks, record) <= now) return null;
    const change = { value: formatCredentials(credentials), writer: "server", seq: 0 };
    const result = await store.write(ticket.identifier, {
      now,
      accessedAt: now,
      transactions: 0,
      expect: new Map([[credentialsKey, record.entries.get(credentialsKey)?.rev ?? 0]]),
      changes: new Map([[credentialsKey, change]]),
    });
    record = result.ok ? await store.read(ticket.identifier) : result.record;
    if (result.ok) return record && { record, secret };
  }
  return null;
}

/** Whether a person has opened the URL, or a page of the server's own. What sends no such header is no browser of today. */
function isWished({ header }: Exchange): boolean {
  const site = header("sec-fetch-site");
  if (site === null || site === "same-origin" || site === "none") return true;
  return (
    header("sec-fetch-mode") === "navigate" &&
    header("sec-fetch-dest") === "document" &&
    header("sec-fetch-user") === "?1"
  );
}
