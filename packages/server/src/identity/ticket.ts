import type { Settings } from "../settings.ts";
import { expiresAt, type SessionRecord } from "../store.ts";
import { credentialsKey, formatCredentials, mintSecret, parseToken, readCredentials, redeemed } from "./credentials.ts";

const maxAttempts = 20;

/**
 * Lets in a request whose URL carries a good ticket: the ticket is used up and turned into a token of its own in one
 * step. `null` for any other request; a bad ticket is not told apart from none.
 */
export async function redeemTicket(
  { store, clock }: Settings,
  url: string | null,
): Promise<{ record: SessionRecord; secret: string } | null> {
  if (!url?.includes("_SID_=") || !URL.canParse(url, "http://host.invalid")) return null;
  const ticket = parseToken(new URL(url, "http://host.invalid").searchParams.get("_SID_") ?? "");
  let record = ticket && (await store.read(ticket.identifier));
  for (let attempt = 0; ticket && record && attempt < maxAttempts; attempt++) {
    const now = clock();
    const secret = mintSecret();
    const credentials = redeemed(readCredentials(record.entries), ticket.secret, secret, now);
    if (!credentials || expiresAt(record) <= now) return null;
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
