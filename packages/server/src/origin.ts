import { SessionError } from "@catnap/shared";
import type { Carrier } from "./carrier.ts";

/**
 * Refuses a state-changing request that a page of another site, or of another host of this one, made the browser send.
 * Browsers say where a request comes from (`Sec-Fetch-Site`, else `Origin`); what says neither is no browser, has
 * no cookie that a foreign page could ride on, and passes. tRPC runs input-less mutations from a foreign multipart form, so
 * content types are no defence.
 *
 * `origins` are those allowed besides the server's own; behind a proxy that rewrites `Host` they are how the server
 * knows itself.
 */
export function guardOrigin(carrier: Carrier, origins: ReadonlySet<string>): void {
  const origin = carrier.header("origin");
  if (origin !== null && origins.has(origin)) return;
  const site = carrier.header("sec-fetch-site");
  if (site === "same-origin" || site === "none") return;
  if (site === null && (origin === null || hostOf(origin) === carrier.header("host"))) return;
  throw new SessionError(
    "CROSS_SITE",
    `A ${site ?? "foreign"} page may not change the session: list its origin in createSessions({ origins }) if it should`,
  );
}

function hostOf(origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null;
}
