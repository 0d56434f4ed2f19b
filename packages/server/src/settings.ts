import type { AnyDefinition, Session, SessionHome, Transaction } from "@catnap/shared";
import { assertDefinition } from "./definition-checks.ts";
import { reportToStandardError, type SessionEvent } from "./events.ts";
import type { CookieSettings } from "./identity/cookie.ts";
import { type CookieOptions, settleCookie } from "./identity/cookie-options.ts";
import { Tokens } from "./identity/tokens.ts";
import { boolean, callable, invalid, known, list, oneOf, seconds, shown, whole } from "./option-checks.ts";
import { assertStore } from "./stores/assert-store.ts";
import type { SessionStore } from "./stores/store.ts";

/** Functions called at the turns of a session's life, as an alternative to a subclass. They may be asynchronous. */
export interface SessionHooks<D extends AnyDefinition> {
  awake?(session: Session<D>, trans: Transaction): void | Promise<void>;
  respond?(session: Session<D>, trans: Transaction): void | Promise<void>;
  sleep?(session: Session<D>, trans: Transaction): void | Promise<void>;
  /** Before an expired session is removed; at least once, over all processes that share the store. */
  expiring?(session: Session<D>, reason: "timeout" | "lifetime"): void | Promise<void>;
}

/** How many sessions a subject may have, and what becomes of one too many. */
export interface MaxSessions {
  readonly perSubject: number;
  /** `reject`: a login too many fails with `TOO_MANY_SESSIONS`. `endOldest`: it ends the one that logged in longest ago. */
  readonly whenFull: "reject" | "endOldest";
}

/** Who asks for a new session: what a limiter can tell visitors apart by. */
export interface Visitor {
  /** A request header by its lower-case name, such as `x-forwarded-for` behind your own proxy. */
  header(name: string): string | null;
  /** The address of the connection over a Node adapter, Fastify's `req.ip`; `null` where the adapter does not tell (fetch). */
  readonly address: string | null;
}

/** What `createSessions` takes. Times are seconds. */
export interface SessionsOptions<D extends AnyDefinition, K extends string = "session"> {
  readonly definition: D;
  readonly store: SessionStore;
  /** Ends a session that nobody used for so long; default 3,600. */
  readonly timeout?: number;
  /** Ends a session this long after its creation, however busy; default 1,209,600 (14 days). */
  readonly lifetime?: number;
  /** A token older than this is rotated; default 86,400 (a day). */
  readonly renewal?: number;
  /**
   * How long requests in flight may use a rotated token, from the first use of its successor on; default 60, at most 300.
   * 0: a token ends with the very request that rotates it, and an answer that is lost then costs the browser its session.
   */
  readonly grace?: number;
  /**
   * What follows when a rotated token is used after its grace, a sign of theft: `report` (the default) tells `report`;
   * `invalidate` ends the session as well, thief and owner alike, which a browser restored from a backup will meet too.
   */
  readonly onReuse?: "report" | "invalidate";
  /** How many sessions a subject may have, and what becomes of one too many. Default: any number. */
  readonly maxSessions?: MaxSessions;
  /**
   * How long an access that changed nothing may wait before it is written; default 60, never more than a tenth of the
   * timeout. 0 writes each at once.
   */
  readonly touchInterval?: number;
  /**
   * Keeps a platform that stops after the answer running until a promise has settled, as `waitUntil` of Workers and Vercel
   * and `after` of Next do: an access that has to be written at once is then written after the answer.
   */
  readonly waitUntil?: (work: Promise<unknown>) => void;
  /** How often expired sessions are swept; default 300; 0: never, the app calls `sweep()`. */
  readonly sweepInterval?: number;
  /** How many live streams one session may have at a server; default 16. A browser needs one. */
  readonly maxStreams?: number;
  /** How many calls one batch may hold; default 100. More are refused with `LIMIT_EXCEEDED`, each of them. */
  readonly maxBatch?: number;
  /**
   * Asked before a visitor gets a session: `false` refuses with `RATE_LIMITED`. For the app's own limiter, since whoever
   * writes one value makes a record. Default: everybody is admitted.
   */
  readonly admit?: (visitor: Visitor) => boolean | Promise<boolean>;
  /** The origins of the pages that may change sessions, besides the server's own. Behind a proxy that rewrites `Host`: the server's own too. */
  readonly origins?: readonly string[];
  /**
   * What becomes of a change that a page of another origin asks for: `refuse` (the default) with `CROSS_SITE`; `report`
   * lets it through and tells `report`, for a roll-out that does not know yet which `origins` to list.
   */
  readonly guard?: "refuse" | "report";
  /**
   * Whether visitors who come from another site by a link or a redirect may change the session with that request: `allow`
   * (the default) or `refuse`. Only GET and HEAD at the top level, and never a call of tRPC's.
   */
  readonly navigation?: "allow" | "refuse";
  /**
   * What the browser is told to clear of this origin when a session is invalidated (`Clear-Site-Data`), besides what Catnap
   * wipes itself. `storage` takes everything that the origin keeps, other libraries' too. Default: nothing.
   */
  readonly clearSiteData?: readonly ("cache" | "cookies" | "storage")[];
  readonly cookie?: CookieOptions;
  /** The name of the session in the app's tRPC context; default `session`. */
  readonly contextKey?: K;
  /** Lets `sessionEncode` hand a session over through a URL; default false. */
  readonly tickets?: boolean;
  readonly hooks?: SessionHooks<D>;
  /** The app's own subclass of `Session`. */
  readonly session?: new (
    home: SessionHome,
  ) => Session<D>;
  /** Is told of events that no request can be told of; default: a line on standard error. */
  readonly report?: (event: SessionEvent) => void;
  /** Epoch milliseconds; for tests. Default `Date.now`. */
  readonly clock?: () => number;
}

/** The options, checked, with their defaults, in milliseconds. */
export interface Settings {
  readonly definition: AnyDefinition;
  readonly store: SessionStore;
  readonly timeoutMs: number;
  readonly lifetimeMs: number;
  readonly renewalMs: number;
  readonly graceMs: number;
  readonly onReuse: "report" | "invalidate";
  readonly maxSessions: MaxSessions | undefined;
  readonly touchIntervalMs: number;
  readonly waitUntil: ((work: Promise<unknown>) => void) | undefined;
  readonly sweepIntervalMs: number;
  readonly maxStreams: number;
  readonly maxBatch: number;
  readonly admit: ((visitor: Visitor) => boolean | Promise<boolean>) | undefined;
  readonly origins: ReadonlySet<string>;
  readonly guard: "refuse" | "report";
  readonly navigation: "allow" | "refuse";
  readonly clearSiteData: readonly string[];
  readonly cookie: CookieSettings;
  readonly contextKey: string;
  readonly tickets: boolean;
  readonly hooks: SessionHooks<AnyDefinition> | undefined;
  readonly Session: new (home: SessionHome) => Session;
  /** Whether anybody listens to the turns of a session's life. */
  readonly hasLife: boolean;
  /** Whether anybody wants to know of sessions that expire. */
  readonly tellsExpiry: boolean;
  readonly report: (event: SessionEvent) => void;
  readonly clock: () => number;
  readonly tokens: Tokens;
}

const optionNames: readonly (keyof SessionsOptions<AnyDefinition>)[] = [
  ...(["definition", "store", "timeout", "lifetime", "renewal", "grace", "onReuse", "maxSessions"] as const),
  ...(["touchInterval", "waitUntil", "sweepInterval", "maxStreams", "maxBatch", "admit"] as const),
  ...(["origins", "guard", "navigation", "clearSiteData"] as const),
  ...(["cookie", "contextKey", "tickets", "hooks", "session", "report", "clock"] as const),
];

/** Checks the options of `createSessions`. Throws `INVALID_OPTION` for one that is missing, weak, or contradicts another. */
export function settle<D extends AnyDefinition, K extends string>(
  options: SessionsOptions<D, K>,
  Base: new (home: SessionHome) => Session,
): Settings {
  known("createSessions", options, optionNames);
  assertDefinition(options.definition);
  const { store } = options;
  assertStore(store);
  const { timeout = 3_600, lifetime = 14 * 86_400, renewal = 86_400, grace = 60 } = options;
  const { touchInterval = 60, sweepInterval = 300, maxStreams = 16, maxBatch = 100 } = options;
  for (const [name, value] of Object.entries({ timeout, lifetime, renewal })) seconds(name, value);
  for (const [name, value] of Object.entries({ grace, touchInterval, sweepInterval })) seconds(name, value, 0);
  for (const [name, value] of Object.entries({ maxStreams, maxBatch })) whole(name, value);
  if (timeout > lifetime) throw invalid(`timeout (${timeout}) is longer than lifetime (${lifetime}): shorten it`);
  if (grace > 300)
    throw invalid(`grace is ${grace}: a rotated token that is good for more than 300 seconds is a second password`);
  if (grace >= renewal)
    throw invalid(`grace (${grace}) is not shorter than renewal (${renewal}): a token would never retire`);
  const { onReuse = "report", guard = "refuse", navigation = "allow" } = options;
  const { clearSiteData = [], tickets = false, contextKey = "session" } = options;
  for (const what of list("clearSiteData", clearSiteData, '["cache"]'))
    oneOf("clearSiteData", what, ["cache", "cookies", "storage"]);
  oneOf("guard", guard, ["refuse", "report"]);
  oneOf("navigation", navigation, ["allow", "refuse"]);
  oneOf("onReuse", onReuse, ["report", "invalidate"]);
  boolean("tickets", tickets);
  if (typeof contextKey !== "string" || contextKey === "")
    throw invalid(`contextKey is ${shown(contextKey)}: name the property of your tRPC context`);
  const { maxSessions, hooks, admit, waitUntil, report = reportToStandardError, clock = Date.now } = options;
  if (maxSessions !== undefined) {
    known("maxSessions", maxSessions, ["perSubject", "whenFull"]);
    oneOf("maxSessions.whenFull", maxSessions.whenFull, ["reject", "endOldest"]);
    whole("maxSessions.perSubject", maxSessions.perSubject);
  }
  if (hooks !== undefined) {
    known("hooks", hooks, ["awake", "respond", "sleep", "expiring"]);
    for (const [name, hook] of Object.entries(hooks))
      if (hook !== undefined) callable(`hooks.${name}`, hook, "(session) => …");
  }
  if (admit !== undefined) callable("admit", admit, "({ address }) => limiter.allows(address)");
  if (waitUntil !== undefined) callable("waitUntil", waitUntil, "the waitUntil of your platform");
  callable("report", report, "(event) => logger.warn(event)");
  callable("clock", clock, "Date.now");
  const origins = checkOrigins(options.origins ?? []);
  // The home hands every session of these settings to the app's own class; the type parameter is lost inside.
  const SessionClass = (options.session ?? Base) as new (home: SessionHome) => Session;
  if (SessionClass !== Base && !(SessionClass?.prototype instanceof Base)) {
    throw invalid("session is no class of sessions: give one that extends the Session of this copy of catnap");
  }
  return {
    definition: options.definition,
    store,
    timeoutMs: timeout * 1000,
    lifetimeMs: lifetime * 1000,
    renewalMs: renewal * 1000,
    graceMs: grace * 1000,
    onReuse,
    maxSessions,
    waitUntil,
    touchIntervalMs: Math.min(touchInterval, timeout / 10) * 1000,
    sweepIntervalMs: sweepInterval * 1000,
    maxStreams,
    maxBatch,
    admit,
    origins,
    guard,
    navigation,
    clearSiteData,
    cookie: settleCookie(options.cookie ?? {}, origins, options.definition.name),
    contextKey,
    tickets,
    hooks: hooks as SessionHooks<AnyDefinition> | undefined,
    Session: SessionClass,
    hasLife: hooks !== undefined || options.session !== undefined,
    tellsExpiry: hooks?.expiring !== undefined || SessionClass.prototype.expiring !== Base.prototype.expiring,
    report,
    clock,
    tokens: new Tokens(options.definition.name),
  };
}

function checkOrigins(origins: readonly string[]): ReadonlySet<string> {
  for (const origin of list("origins", origins, '["https://shop.example"]')) {
    if (
      typeof origin !== "string" ||
      origin.includes("*") ||
      !URL.canParse(origin) ||
      new URL(origin).origin !== origin
    ) {
      throw invalid(
        `origins has ${shown(origin)}: write scheme, host and port of one origin, such as "https://shop.example"`,
      );
    }
  }
  return new Set(origins);
}
