import { SessionError } from "@catnap/shared";

/** The parts of a request that tell which page has made the browser send it. */
export interface Provenance {
  /** The request's method in capitals; `null` when unknown. */
  readonly method: string | null;
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
 * knows itself. With `navigation`, a visitor who comes from another site by a link or a redirect is none either: a search
 * engine's, an OAuth provider's, a magic link's.
 */
export function foreignerBehind(
  request: Provenance,
  origins: ReadonlySet<string>,
  navigation: boolean,
): Foreigner | null {
  if (navigation && isNavigation(request)) return null;
  const origin = request.header("origin");
  if (origin !== null && origins.has(origin)) return null;
  const site = request.header("sec-fetch-site");
  if (site === "same-origin" || site === "none") return null;
  if (site === null && (origin === null || isOfHost(origin, request.host))) return null;
  return { site: site?.slice(0, maxOriginLength) ?? null, origin: origin?.slice(0, maxOriginLength) ?? null };
}

/**
 * Whether the browser's user goes to a page: a safe method, at the top level. A frame is none, and neither is a form that
 * posts. Of a request whose method is unknown nobody can say.
 */
function isNavigation({ method, header }: Provenance): boolean {
  return (
    (method === "GET" || method === "HEAD") &&
    header("sec-fetch-mode") === "navigate" &&
    header("sec-fetch-dest") === "document"
  );
}

/** `CROSS_SITE` for a foreigner, with what would help in its case. */
export function crossSite({ site, origin }: Foreigner, { method, header }: Provenance): SessionError {
  const whose = site === "same-site" ? "A page of a neighbouring host" : "A page of another site";
  const navigates = header("sec-fetch-mode") === "navigate";
  const remedy =
    origin !== null && origin !== "null"
      ? `list ${JSON.stringify(origin)} in createSessions({ origins }) if it may`
      : navigates && method === null
        ? "pass the method to wake, so that it knows a link from a form, or list the page's origin in createSessions({ origins })"
        : "answer with a page of your own that sends the request, or with a redirect to one";
  return new SessionError("CROSS_SITE", `${whose} may not change the session: ${remedy}`);
}

/** An opaque origin ("null") is nobody's, also where a request names no host. */
function isOfHost(origin: string, host: string | null): boolean {
  return host !== null && URL.canParse(origin) && new URL(origin).host === host;
}
