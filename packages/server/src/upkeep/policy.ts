import type { CookieScope } from "../identity/cookie.ts";
import type { Settings } from "../settings.ts";

/** Where a cookie is sent, and under which name. */
interface CookieSite {
  readonly name: string;
  /** Whether the name is followed by the port of the request's host. */
  readonly portInName: boolean;
  readonly path: string;
  /** `null`: this host alone. */
  readonly domain: string | null;
  readonly partitioned: boolean;
}

/**
 * What a configuration amounts to, for an auditor: plain data, ready for `JSON.stringify`. Times are seconds, sizes
 * bytes. Holds no secret and no value.
 */
export interface SessionPolicy {
  readonly token: {
    readonly randomBits: number;
    /** What of it rests in the store. */
    readonly storedAs: "SHA-256";
    /** Where it is taken from: nowhere else, and in particular no URL, body or other header. */
    readonly acceptedFrom: "cookie";
    readonly renewedAfter: number;
    readonly graceAfterRotation: number;
    readonly onReuse: "report" | "invalidate";
    readonly ticketsInUrls: boolean;
  };
  readonly cookie: CookieSite & {
    readonly httpOnly: true;
    readonly secure: boolean;
    readonly sameSite: "strict" | "lax" | "none";
    /** Whether it stays when the browser is closed, in sessions that say nothing else. */
    readonly persistent: boolean;
    /** `null`: the browser's default. */
    readonly priority: "low" | "medium" | "high" | null;
    /** The scopes that are still read, and expired. */
    readonly former: readonly CookieSite[];
  };
  readonly lifetime: { readonly idle: number; readonly absolute: number };
  readonly crossSite: { readonly guard: "refuse" | "report"; readonly origins: readonly string[] };
  readonly limits: {
    readonly valueBytes: number;
    readonly sessionBytes: number;
    readonly opsPerPush: number;
    readonly callsPerBatch: number;
    readonly liveStreams: number;
    /** `null`: any number. */
    readonly sessionsPerSubject: number | null;
    /** Whether the app's limiter is asked before a visitor gets a session. */
    readonly newSessionsLimited: boolean;
  };
  readonly responses: { readonly cacheControl: "no-store"; readonly clearSiteData: readonly string[] };
  readonly keys: {
    readonly shared: readonly string[];
    readonly readonly: readonly string[];
    readonly secret: readonly string[];
  };
}

/** Reads the policy off the settings that the server itself goes by. */
export function policyOf(settings: Settings, opsPerPush: number): SessionPolicy {
  const { definition, cookie, maxSessions } = settings;
  const { httpOnly, secure, sameSite, priority = null } = cookie.attributes;
  const keysOf = (group: string) =>
    [...definition.keys.values()].filter(({ access }) => access === group).map(({ label }) => label);
  return {
    token: {
      randomBits: 256,
      storedAs: "SHA-256",
      acceptedFrom: "cookie",
      renewedAfter: settings.renewalMs / 1000,
      graceAfterRotation: settings.graceMs / 1000,
      onReuse: settings.onReuse,
      ticketsInUrls: settings.tickets,
    },
    cookie: {
      ...siteOf(cookie),
      httpOnly,
      secure,
      sameSite,
      persistent: cookie.persistent,
      priority,
      former: cookie.former.map(siteOf),
    },
    lifetime: { idle: settings.timeoutMs / 1000, absolute: settings.lifetimeMs / 1000 },
    crossSite: { guard: settings.guard, origins: [...settings.origins] },
    limits: {
      ...definition.limits,
      opsPerPush,
      callsPerBatch: settings.maxBatch,
      liveStreams: settings.maxStreams,
      sessionsPerSubject: maxSessions?.perSubject ?? null,
      newSessionsLimited: settings.admit !== undefined,
    },
    responses: { cacheControl: "no-store", clearSiteData: settings.clearSiteData },
    keys: { shared: keysOf("shared"), readonly: keysOf("readonly"), secret: keysOf("secret") },
  };
}

function siteOf({ name, hasPort, attributes: { path, domain, partitioned } }: CookieScope): CookieSite {
  return { name, portInName: hasPort, path, domain: domain ?? null, partitioned: partitioned === true };
}
