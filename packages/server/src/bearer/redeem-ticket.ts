import type { Exchange } from "../exchange/exchange.ts";
import { redeemed } from "../identity/credentials.ts";
import { credentialsKey, formatCredentials, readCredentials } from "../identity/credentials-text.ts";
import { ticketIn } from "../identity/ticket.ts";
import { mintSecret } from "../identity/tokens.ts";
import type { Settings } from "../settings.ts";
import type { SessionRecord } from "../stores/store.ts";
import { expiryOf } from "../upkeep/clocks.ts";

const maxAttempts = 20;

/**
 * Lets in a request whose URL carries a good ticket: the ticket is used up and turned into a token of its own in one
 * step. `null` for any other request; a bad ticket is not told apart from none. Nor is one that a page of another site has
 * made the browser open, without a person's click: it would put its visitor into a session of its choice.
 */
export async function redeemTicket(
  { store, clock, tokens, ...clocks }: Settings,
  exchange: Exchange,
): Promise<{ record: SessionRecord; secret: string } | null> {
  const ticket = exchange.url === null ? null : ticketIn(exchange.url);
  if (!ticket || !isWished(exchange) || !tokens.owns(ticket.identifier)) return null;
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
