import { type Previous, SessionError } from "@catnap/shared";
import type { Exchange } from "../exchange/exchange.ts";
import { claimedSecret } from "../identity/credentials.ts";
import { readCredentials } from "../identity/credentials-text.ts";
import { isPersistent } from "../identity/persistence.ts";
import { judge, mayLogIn, mayRotate, type Standing, tokenRotated } from "../identity/standing.ts";
import { assertTicketUrl } from "../identity/ticket.ts";
import { mintSecret } from "../identity/tokens.ts";
import type { Settings } from "../settings.ts";
import type { SessionRecord } from "../stores/store.ts";
import { expiryOf } from "../upkeep/clocks.ts";
import { type Recognisers, recognise, type Sources } from "./recognise.ts";
import { redeemTicket } from "./redeem-ticket.ts";
import { RequestCookie } from "./request-cookie.ts";

/**
 * A token that came twice gets a successor when it is older, in milliseconds: the other cookie may be a planted one, which
 * cannot be expired, and must not cost a commit with each request.
 */
const movingMs = 60_000;

/** Who a request comes from, by its cookie: which session that opens, by which token, and how a new token reaches the browser. */
export class Bearer {
  /** The hash of the token that the request presented, or was given. */
  hash: string | null = null;
  previous: Previous = "none";
  /** What the store recalled of the session, where nobody was asked for it. */
  recalled: SessionRecord | undefined;
  /** The sessions that the cookie names, whether or not a token opens them. */
  named: readonly string[] = [];
  readonly #settings: Settings;
  readonly #exchange: Exchange;
  readonly #cookie: RequestCookie;
  /** The response's headers leave before any procedure runs. */
  readonly #streams: boolean;
  readonly #startedAt: number;
  #standing: Standing = { kind: "unknown" };
  /** The secret that this request hands out; the same for every try of its commit. */
  #secret: string | null = null;
  /** The token came in a cookie of another scope than today's, for certain or perhaps. */
  #moves: "surely" | "perhaps" | null = null;
  /** The cookie with that secret has left already. */
  #mintedEarly = false;

  constructor(settings: Settings, exchange: Exchange, streams: boolean, startedAt: number) {
    this.#settings = settings;
    this.#exchange = exchange;
    this.#cookie = new RequestCookie(settings.cookie, exchange);
    this.#streams = streams;
    this.#startedAt = startedAt;
  }

  /**
   * A stream's headers leave before its first procedure runs: a visitor without a cookie gets one now or never. Gives the
   * identifier that it names.
   */
  mintEarly(): string | null {
    const { tokens, lifetimeMs } = this.#settings;
    if (this.#cookie.read().came) return null;
    const identifier = tokens.mintIdentifier();
    this.#mintedEarly = this.#setCookie({ identifier, endsAt: this.#startedAt + lifetimeMs }, this.secret());
    return this.#mintedEarly ? identifier : null;
  }

  /**
   * Reads the record that the cookie opens, or, where a cookie can be set and `redeems` says so, the URL's ticket. With
   * `recalls`, what the store remembers will do, and `met` is what it has just given.
   */
  async load(
    recognisers: Recognisers,
    { redeems, recalls, met }: { readonly redeems: boolean } & Pick<Sources, "recalls" | "met">,
  ): Promise<SessionRecord | null> {
    this.recalled = undefined;
    const { came, tokens, isFormer, isRepeated, leftOver } = this.#cookie.read();
    if (came) {
      this.named = tokens.map(({ identifier }) => identifier);
      const { disconnect } = this.#exchange;
      const keeps = disconnect !== undefined;
      const found = await recognise(this.#settings, recognisers, tokens, { keeps, recalls, met });
      if (found === "rotated") {
        disconnect?.();
        throw new SessionError(
          "TOKEN_ROTATED",
          "The token that this connection was opened with was rotated: the server ends it, so that the browser opens another with its new one",
        );
      }
      if (typeof found !== "string") {
        ({ hash: this.hash, standing: this.#standing, recalled: this.recalled } = found);
        this.#moves = isFormer ? "surely" : isRepeated ? "perhaps" : null;
        if (leftOver && redeems && this.canSetCookie()) this.#cookie.expireFormer();
        return found.record;
      }
      this.previous = found;
    }
    if (!redeems || !this.#settings.tickets || !this.canSetCookie()) return null;
    const handed = await redeemTicket(this.#settings, this.#exchange);
    if (!handed) return null;
    this.#hand(handed.record, handed.secret);
    return handed.record;
  }

  /**
   * Whether another first request of the same browser has made this session, which the nonce tells: then the browser has
   * its token from here, too.
   */
  claims(record: SessionRecord, nonce: string): boolean {
    const credentials = readCredentials(record);
    const now = this.#settings.clock();
    const secret = claimedSecret(credentials, nonce, now);
    if (secret === null || expiryOf(this.#settings, record) <= now) return false;
    if (judge(credentials, this.#settings.tokens.hash(secret), now).kind !== "current") return false;
    this.#hand(record, secret);
    return true;
  }

  /** Admits by a secret that is news to the browser. */
  #hand(record: SessionRecord, secret: string): void {
    this.previous = "none";
    this.hash = this.#settings.tokens.hash(secret);
    this.#standing = judge(readCredentials(record), this.hash, this.#settings.clock());
    this.#setCookie(record, secret);
  }

  /** Whether a new token can reach the browser. */
  canSetCookie(): boolean {
    return !this.#streams && this.#exchange.canSetCookie();
  }

  /**
   * Whether the token is due for its successor: it is old, or came in a cookie of a former scope, or the answer that carried
   * the successor is lost. A cookie of today's scope with the same token could overtake that of a login which is under way.
   */
  renews({ authenticatedAt }: SessionRecord): boolean {
    const { renewalMs, graceMs } = this.#settings;
    const after = this.#moves === null ? renewalMs : this.#moves === "perhaps" ? Math.min(movingMs, renewalMs) : 0;
    if (this.#standing.kind === "current" && this.#standing.issuedAt + after > this.#startedAt) return false;
    return mayRotate(this.#standing, this.#startedAt, graceMs, authenticatedAt) && this.canSetCookie();
  }

  /** Whether this is the first use of a token that has taken another's place. */
  confirms(): boolean {
    return this.#standing.kind === "current" && this.#standing.confirms;
  }

  /** What the token is to the session as it is now. */
  standingIn(record: SessionRecord): Standing {
    return this.hash === null ? { kind: "unknown" } : judge(readCredentials(record), this.hash, this.#settings.clock());
  }

  /** When somebody has logged in with this token, or with one that it has come of; `null`: nobody has. */
  provenAt({ authenticatedAt }: SessionRecord): number | null {
    const issuedAt = "issuedAt" in this.#standing ? this.#standing.issuedAt : Number.NEGATIVE_INFINITY;
    return authenticatedAt !== null && issuedAt >= authenticatedAt ? authenticatedAt : null;
  }

  /** Throws `TOKEN_ROTATED` when the token may not do this any more. */
  assertToken(what: string, { authenticatedAt }: SessionRecord): void {
    const [now, { graceMs }] = [this.#settings.clock(), this.#settings];
    const allowed =
      what === "login"
        ? mayLogIn(this.#standing, now, graceMs)
        : mayRotate(this.#standing, now, graceMs, authenticatedAt);
    if (!allowed) throw tokenRotated(what);
  }

  /**
   * Whether the token is one from before a login, and its grace is over, though nobody has used the successor. Whoever has it
   * may be anybody: its use keeps the session alive no longer.
   */
  isOutlived({ authenticatedAt }: SessionRecord): boolean {
    const standing = this.#standing;
    if (standing.kind !== "superseded" || authenticatedAt === null || standing.issuedAt >= authenticatedAt)
      return false;
    return standing.since + this.#settings.graceMs <= this.#startedAt;
  }

  /** Throws `INVALID_OPTION` for a URL that a ticket must not go to. */
  assertTicketUrl(url: string): void {
    assertTicketUrl(url, this.#exchange.host, this.#settings.origins);
  }

  /** The session was opened without a request. */
  get isUnasked(): boolean {
    return this.#exchange.unasked === true;
  }

  /** Throws `HEADERS_SENT` where a session was opened without a request. */
  assertAsked(what: string): void {
    if (!this.isUnasked) return;
    throw new SessionError(
      "HEADERS_SENT",
      `${what} has to reach a browser, and sessions.open has none that waits for an answer: call ${what} in a request, by middleware or wake`,
    );
  }

  /** Throws `HEADERS_SENT` when the response cannot carry a new cookie. */
  assertCookie(what: string): void {
    if (this.canSetCookie()) return;
    this.assertAsked(what);
    const remedy = this.#streams
      ? "a streaming response has sent its headers: route this procedure over httpLink or httpBatchLink (a splitLink decides per operation)"
      : "this place can set none, since its response has left or has no way to: do it before you answer, where a cookie can be set, and give a wake of your own its setCookie";
    throw new SessionError("HEADERS_SENT", `${what} needs a cookie, but ${remedy}`);
  }

  /** Throws when the token that a commit is about to make could not reach the browser. */
  assertIssue(): void {
    if (!this.#mintedEarly) this.assertCookie("A new token");
  }

  secret(): string {
    this.#secret ??= mintSecret();
    return this.#secret;
  }

  /** Hands the token that a commit has made to the browser; says whether it could. */
  issue(record: SessionRecord): boolean {
    const secret = this.secret();
    this.hash = this.#settings.tokens.hash(secret);
    this.#standing = { kind: "current", issuedAt: this.#startedAt, confirms: false };
    const sent = this.#mintedEarly || this.#setCookie(record, secret);
    this.#mintedEarly = false;
    this.#secret = null;
    return sent;
  }

  /** Takes the cookie back that came or was set, and whatever else the settings say a browser should clear. */
  takeBack(): void {
    const { clearSiteData } = this.#settings;
    if (this.hash === null && !this.#cookie.read().came) return;
    this.#cookie.takeBack();
    if (clearSiteData.length > 0)
      this.#exchange.setHeader("clear-site-data", clearSiteData.map((what) => `"${what}"`).join(", "));
  }

  #setCookie(session: Pick<SessionRecord, "identifier" | "endsAt"> & Partial<SessionRecord>, secret: string): boolean {
    const { cookie, clock } = this.#settings;
    const { identifier, endsAt, entries } = session;
    const seconds = isPersistent(cookie, entries) ? (endsAt - clock()) / 1000 : null;
    return this.#cookie.hand({ identifier, secret }, seconds);
  }
}
