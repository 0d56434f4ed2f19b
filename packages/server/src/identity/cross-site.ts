import { SessionError } from "@catnap/shared";

/** The parts of a request that tell which page has made the browser send it. */
export interface Provenance {
  /** A request header by its lower-case name. */
  header(name: string): string | null;
  /** The host that the request names, with its port; `null` when it names none. */
  readonly host: string | null;
}

/** A page of another origin that made the browser send a request: what the browser says of it. */
export interface Foreigner {
  /** `Sec-Fetch-Site`; `null` from a browser that does not send it. */
  readonly site: string | null;
  readonly origin: string | null;
}

/** Longer than any origin; the header is the client's to choose. */
const maxOriginLength = 300;

/**
 * Whether a page of another site, or of another host of this one, made the browser send this request; `null`: none did.
 * Browsers say where a request comes from (`Sec-Fetch-Site`, else `Origin`); what says neither is no browser, has
 * no cookie that a foreign page could ride on, and passes. tRPC runs input-less mutations from a foreign multipart form, so
 * content types are no defence.
 *
 * `origins` are those allowed besides the server's own; behind a proxy that rewrites `Host` they are how the server
 * knows itself.
 */
export function foreignerBehind(request: Provenance, origins: ReadonlySet<string>): Foreigner | null {
  const origin = request.header("origin");
  if (origin !== null && origins.has(origin)) return null;
  const site = request.header("sec-fetch-site");
  if (site === "same-origin" || site === "none") return null;
  if (site === null && (origin === null || isOfHost(origin, request.host))) return null;
  return { site: site?.slice(0, maxOriginLength) ?? null, origin: origin?.slice(0, maxOriginLength) ?? null };
}

/** `CROSS_SITE` for a foreigner. */
export function crossSite({ site }: Foreigner): SessionError {
  return new SessionError(
    "CROSS_SITE",
    `A ${site === "same-site" ? "same-site" : "foreign"} page may not change the session: list its origin in createSessions({ origins }) if it should`,
  );
}

/** An opaque origin ("null") is nobody's, also where a request names no host. */
function isOfHost(origin: string, host: string | null): boolean {
  return host !== null && URL.canParse(origin) && new URL(origin).host === host;
}
