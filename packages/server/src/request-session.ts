import {
  type Answer,
  type AnyDefinition,
  type ChangesEvent,
  type ChangesInput,
  type Previous,
  type Session,
  SessionError,
  type SessionSnapshot,
  type SessionState,
  type Transaction,
} from "@catnap/shared";
import type { TrackedEnvelope } from "@trpc/server";
import { Barrier } from "./barrier.ts";
import { type Carrier, carry, type RequestInfo } from "./carrier.ts";
import { followChanges } from "./changes.ts";
import { type Circumstances, committed, planCommit } from "./commit-plan.ts";
import { readCookie, writeCookie } from "./cookie.ts";
import {
  claimSecret,
  formatToken,
  hashToken,
  identifierOf,
  judge,
  mintIdentifier,
  mintSecret,
  readCredentials,
  type Standing,
} from "./credentials.ts";
import { describeDevice } from "./device.ts";
import { Draft } from "./draft.ts";
import { Fork, type ForkOrigin } from "./fork.ts";
import { crossSite, foreignerBehind } from "./origin.ts";
import { answerPush, decidedIn, factsOf, refusal, screenPush } from "./push.ts";
import type { Settings } from "./settings.ts";
import { expiresAt, type SessionRecord } from "./store.ts";
import type { Streams } from "./streams.ts";
import type { Subjects } from "./subjects.ts";
import { redeemTicket } from "./ticket.ts";
import type { Touches } from "./touches.ts";

/** After so many conflicts in a row a commit gives up. */
const maxAttempts = 20;

/** What the requests of one server have in common. */
export interface Shared {
  readonly touches: Touches;
  readonly streams: Streams;
  readonly subjects: Subjects;
}

/** One call's hold on the session, from the moment it starts to the moment its changes are handed over. */
export interface Call {
  readonly session: Session;
  readonly fork: Fork;
  /** Hands the changes over and resolves when they are committed. */
  succeed(): Promise<void>;
  /** Drops the changes. */
  fail(): void;
}

/**
 * The session during one HTTP request, which is one transaction: the record is read once, however many procedures a
 * batch holds; each call works on a fork; the forks of the calls that succeed are committed together, once.
 *
 * Made by `sessions.wake` without any I/O. The app puts it into its tRPC context, where the middleware replaces it by
 * the `Session`.
 */
export class RequestSession<D extends AnyDefinition = AnyDefinition> implements ForkOrigin {
  /** Types only: whose sessions these are. */
  declare readonly "~definition"?: D;
  readonly #settings: Settings;
  readonly #touches: Touches;
  readonly #liveStreams: Streams;
  readonly #subjects: Subjects;
  readonly #carrier: Carrier;
  readonly #barrier: Barrier;
  readonly #streams: boolean;
  readonly #calls: number;
  readonly startedAt: number;
  readonly #trans: Transaction;
  #record: SessionRecord | null = null;
  #standing: Standing = { kind: "unknown" };
  /** The hash of the token that this request presented, or was given. */
  #hash: string | null = null;
  #previous: Previous = "none";
  /** Of a session without a record yet. */
  #identifier: string | null = null;
  /** Of a session whose cookie left before its record was written. */
  #mintedSecret: string | null = null;
  #draft = new Draft();
  #opening: Promise<void> | null = null;
  #life: Fork | null = null;
  #lifeSession: Session | null = null;
  #flushing: Promise<void> | null = null;
  #tail: Promise<void> = Promise.resolve();
  #guarded = false;
  #admitted = false;
  #counted = false;
  #ended = false;

  constructor(settings: Settings, shared: Shared, carrier: Carrier, info: RequestInfo | undefined, reason: string) {
    this.#settings = settings;
    this.#touches = shared.touches;
    this.#liveStreams = shared.streams;
    this.#subjects = shared.subjects;
    this.#carrier = carrier;
    this.#streams = info?.accept === "application/jsonl" || info?.type === "subscription";
    this.#calls = info?.calls.length ?? 1;
    this.#barrier = new Barrier(this.#streams ? undefined : info);
    this.startedAt = settings.clock();
    this.#trans = { side: "server", reason };
    if (!this.#streams) return;
    carrier.keepPrivate(); // now or never
    if (info?.type === "mutation") this.#mintEarly();
  }

  /** A session outside any request, for the `expiring` hook: it can be read, and what is written to it goes nowhere. */
  static over(settings: Settings, shared: Shared, record: SessionRecord): RequestSession {
    const request = new RequestSession(settings, shared, carry({ headers: new Headers() }), undefined, "expiring");
    request.#record = record;
    return request;
  }

  /** A stream's headers leave before its first procedure runs: a visitor without a cookie gets one now or never. */
  #mintEarly(): void {
    if (readCookie(this.#carrier.header("cookie"), this.#settings.cookie.name) !== "none") return;
    const [identifier, secret] = [mintIdentifier(), mintSecret()];
    if (!this.#carrier.setCookie(this.#cookie(identifier, secret, this.startedAt + this.#settings.lifetimeMs))) return;
    this.#identifier = identifier;
    this.#mintedSecret = secret;
  }

  get definition(): AnyDefinition {
    return this.#settings.definition;
  }

  get previous(): Previous {
    return this.#previous;
  }

  get tickets(): boolean {
    return this.#settings.tickets;
  }

  now(): number {
    return this.#settings.clock();
  }

  identify(): string {
    this.#identifier ??= mintIdentifier();
    return this.#identifier;
  }

  state(): SessionState {
    const record = this.#record;
    const own = this.#counted ? 0 : 1;
    if (record) {
      const { identifier, createdAt, timeoutMs, endsAt } = record;
      const timeout = this.#draft.wishes.timeoutMs ?? timeoutMs;
      return {
        identifier,
        createdAt,
        accessedAt: record.accessedAt,
        transactions: record.transactions + own,
        timeoutMs: timeout,
        expiresAt: expiresAt({ endsAt, timeoutMs: timeout, accessedAt: this.startedAt }),
      };
    }
    const timeoutMs = this.#draft.wishes.timeoutMs ?? this.#settings.timeoutMs;
    const [createdAt, accessedAt] = [this.startedAt, this.startedAt];
    return {
      identifier: this.#identifier,
      createdAt,
      accessedAt,
      transactions: own,
      timeoutMs,
      expiresAt: createdAt + timeoutMs,
    };
  }

  subject(): string | null {
    return this.#draft.wishes.subject ?? this.#record?.subject ?? null;
  }

  authenticatedAt(): number | null {
    return this.#draft.wishes.subject === undefined ? (this.#record?.authenticatedAt ?? null) : this.startedAt;
  }

  current(name: string): string | null {
    if (this.#ended) throw gone();
    const change = this.#draft.changes.get(name);
    return change ? change.value : (this.#record?.entries.get(name)?.value ?? null);
  }

  *names(): Iterable<string> {
    for (const [name, { value }] of this.#record?.entries ?? []) {
      if (value !== null && this.definition.keys.has(name)) yield name;
    }
    yield* this.#draft.changes.keys();
  }

  assertCookie(what: string): void {
    if (!this.#streams) return;
    throw new SessionError(
      "HEADERS_SENT",
      `${what} needs a cookie, but a streaming response has sent its headers: route this procedure over httpLink or httpBatchLink (a splitLink decides per operation)`,
    );
  }

  /**
   * Refuses a cross-site request with `CROSS_SITE`, or reports it, as the settings say; asked before every mutation and
   * subscription, and again before anything is committed. Reads nothing: an app may ask for procedures without a session.
   */
  guard(): void {
    if (this.#guarded) return;
    const foreigner = foreignerBehind(this.#carrier, this.#settings.origins);
    if (foreigner) {
      if (this.#settings.guard === "refuse") throw crossSite(foreigner);
      this.#settings.report({ kind: "cross-site", what: this.#trans.reason, ...foreigner });
    }
    this.#guarded = true;
  }

  /** Refuses each call of a batch that has too many. */
  assertBatch(): void {
    const { maxBatch } = this.#settings;
    if (this.#calls <= maxBatch) return;
    throw new SessionError(
      "LIMIT_EXCEEDED",
      `The batch has ${this.#calls} calls, more than maxBatch (${maxBatch}): set maxItems on httpBatchLink, or raise the limit in createSessions`,
    );
  }

  /** Reads the record, once per request, and lets the session awake. */
  open(): Promise<void> {
    if (!this.#opening) {
      if (!this.#streams) this.#carrier.keepPrivate();
      this.#opening = this.#settings.hasLife ? this.#awake() : this.#load();
    }
    return this.#opening;
  }

  async #awake(): Promise<void> {
    await this.#load();
    this.#life = new Fork(this, async (life) => this.#collect(life.take()));
    this.#lifeSession = new this.#settings.Session(this.#life);
    await this.#settings.hooks?.awake?.(this.#lifeSession, this.#trans);
    await this.#lifeSession.awake(this.#trans);
    this.#draft.absorb(this.#life.take());
  }

  async #load(): Promise<void> {
    const cookie = readCookie(this.#carrier.header("cookie"), this.#settings.cookie.name);
    if (cookie === "refused") this.#previous = "unknown";
    else if (cookie !== "none") await this.#recognise(cookie.identifier, cookie.secret);
    if (this.#record || !this.#settings.tickets || this.#streams) return;
    const handed = await redeemTicket(this.#settings, this.#carrier.url);
    if (handed)
      this.#admit(handed.record, hashToken(handed.secret), { kind: "current", issuedAt: this.now() }, handed.secret);
  }

  async #recognise(identifier: string, secret: string): Promise<void> {
    this.#previous = "unknown";
    const stored = await this.#settings.store.read(identifier);
    if (!stored) return;
    const record = this.#touches.ahead(stored);
    const now = this.now();
    const hash = hashToken(secret);
    const standing = judge(readCredentials(record.entries), hash, now);
    if (standing.kind === "reused") await this.#reused(record);
    if (standing.kind === "reused" || standing.kind === "unknown") return;
    if (expiresAt(record) <= now) {
      this.#previous = "expired";
      return;
    }
    this.#admit(record, hash, standing);
  }

  /** Whoever holds a retired token got it from somewhere: the operator hears of it, and the session may end. */
  async #reused({ identifier, subject }: SessionRecord): Promise<void> {
    const ended = this.#settings.onReuse === "invalidate" && (await this.#subjects.revoke(identifier));
    this.#settings.report({ kind: "reuse", identifier, subject, ended });
  }

  /** From here on the request is this session's; a `secret` is news to the browser. */
  #admit(record: SessionRecord, hash: string, standing: Standing, secret?: string): void {
    this.#previous = "none";
    this.#record = record;
    this.#hash = hash;
    this.#standing = standing;
    if (secret !== undefined) this.#carrier.setCookie(this.#cookie(record.identifier, secret, record.endsAt));
  }

  /** Starts a call on a fork of its own. */
  call(): Call {
    this.#barrier.enter();
    const fork = new Fork(this);
    let open = true;
    const close = () => {
      if (open) this.#barrier.leave();
      open = false;
    };
    return {
      fork,
      session: new this.#settings.Session(fork),
      succeed: async () => {
        try {
          const draft = fork.take();
          const changed = !draft.isEmpty;
          if (changed) this.#collect(draft);
          await this.#settle(changed);
        } finally {
          close();
        }
      },
      fail: close,
    };
  }

  /** The live stream of the session that this request has opened. */
  follow(
    input: ChangesInput,
    left: AbortSignal | undefined,
  ): AsyncGenerator<TrackedEnvelope<ChangesEvent>, void, void> {
    const gone = this.#previous === "expired" ? "SESSION_EXPIRED" : "SESSION_GONE";
    const followed = { record: this.#record, hash: this.#hash, gone } as const;
    return followChanges(this.#settings, this.#liveStreams, followed, input, left);
  }

  /** The state that a server-rendered page starts from. */
  snapshot(): SessionSnapshot {
    const entries: Record<string, { value: string; rev: number }> = {};
    for (const [name, { value, rev }] of this.#record?.entries ?? []) {
      const key = this.definition.keys.get(name);
      if (value !== null && key && key.access !== "secret") entries[name] = { value, rev };
    }
    const record = this.#record;
    return {
      identifier: record?.identifier ?? null,
      rev: record?.rev ?? 0,
      entries,
      decided: record ? decidedIn(record.entries) : {},
      facts: record ? factsOf(record, this.now()) : null,
    };
  }

  async commit(draft: Draft): Promise<void> {
    if (!draft.isEmpty) this.#collect(draft);
    await this.#enqueue();
  }

  #collect(draft: Draft): void {
    if (this.#ended) throw gone();
    this.guard();
    this.#draft.absorb(draft);
  }

  /** Waits for the other calls of the batch, then commits with them. A stream holds no call for another. */
  async #settle(changed: boolean): Promise<void> {
    if (this.#streams) return this.#enqueue();
    if (!changed && !this.#due()) {
      // Nothing to wait for; but somebody has to count the transaction when nobody changes anything.
      return this.#touch();
    }
    await this.#barrier.everyone();
    this.#flushing ??= this.#enqueue().finally(() => {
      this.#flushing = null;
    });
    await this.#flushing;
  }

  /** Whether the request's end has work even for a call that changed nothing. */
  #due(): boolean {
    return this.#settings.hasLife || !this.#draft.isEmpty || this.#renews();
  }

  #renews(): boolean {
    if (this.#streams || this.#standing.kind !== "current") return false;
    return this.#standing.issuedAt + this.#settings.renewalMs <= this.startedAt;
  }

  /** One commit after another: a stream's calls each bring their own. */
  #enqueue(): Promise<void> {
    const mine = this.#tail.then(() => this.#flush());
    this.#tail = mine.catch(() => undefined); // a failed commit is its own callers' to hear of
    return mine;
  }

  async #flush(): Promise<void> {
    await this.#fallAsleep();
    const draft = this.#draft;
    this.#draft = new Draft();
    if (draft.wishes.invalidate) return this.#end(draft);
    this.#screen(draft);
    if (this.#renews()) draft.wishes.rotate = true;
    if (draft.isEmpty) await this.#touch();
    else await this.#commit(draft);
  }

  async #fallAsleep(): Promise<void> {
    const session = this.#lifeSession;
    if (!session || this.#ended || this.#draft.wishes.invalidate) return;
    await this.#settings.hooks?.respond?.(session, this.#trans);
    await session.respond(this.#trans);
    await this.#settings.hooks?.sleep?.(session, this.#trans);
    await session.sleep(this.#trans);
  }

  /** Answers a push that may not be applied to this session, before anything of it is; the rest of the draft goes on. */
  #screen(draft: Draft): void {
    const pending = draft.wishes.push;
    if (!pending) return;
    pending.answer = this.#streams && !this.#record && pending.push.ops.length > 0 ? refusal("HEADERS_SENT") : null;
    pending.answer ??= screenPush(this.definition, this.#record, this.#previous, pending.push, this.now());
    if (pending.answer) {
      const { push: _, ...wishes } = draft.wishes;
      draft.wishes = wishes;
    }
  }

  async #commit(draft: Draft): Promise<void> {
    const { store } = this.#settings;
    const pending = draft.wishes.push;
    const nonce = pending?.push.nonce;
    let minted = this.#mintedSecret;
    const secret = () => {
      minted ??= mintSecret();
      return minted;
    };
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const now = this.#circumstances(secret);
      const { commit, issues, pushed } = planCommit(this.#settings, draft, now);
      if (issues) this.assertIssue();
      const identifier =
        this.#record?.identifier ?? this.#identifier ?? (nonce ? identifierOf(nonce) : this.identify());
      if (commit) {
        if (commit.create) await this.#assertAdmitted();
        const binds = commit.subject !== undefined && commit.subject !== this.#record?.subject ? commit.subject : null;
        if (binds !== null) await this.#subjects.assertRoom(binds);
        const result = await store.write(identifier, commit);
        if (!result.ok) {
          this.#meet(result.record, commit.create !== undefined, nonce);
          continue;
        }
        const overtaken = result.rev > (this.#record?.rev ?? 0) + 1;
        this.#record = committed(identifier, this.#record, commit, result.rev);
        this.#counted = true;
        if (binds !== null) await this.#subjects.keepWithin(binds, identifier);
        if (issues) this.#issue(secret());
        // Others have committed other keys since this request read: an answer at this revision owes the tab theirs too.
        if (overtaken && pending) this.#record = (await store.read(identifier)) ?? this.#record;
      } else await this.#touch();
      if (pending && pushed) pending.answer = this.#answer(pending.push, pushed);
      return;
    }
    throw new SessionError("CONFLICT", "Other writers of the same values kept winning: try again");
  }

  /** Asks the app's limiter, once per request, before the first record of a visitor. */
  async #assertAdmitted(): Promise<void> {
    if (this.#admitted) return;
    const { header, address } = this.#carrier;
    if ((await this.#settings.admit?.({ header, address })) === false) {
      throw new SessionError("RATE_LIMITED", "No new session for this visitor just now: try again later");
    }
    this.#admitted = true;
  }

  #circumstances(secret: () => string): Circumstances {
    return {
      record: this.#record,
      hash: this.#hash,
      device: () => describeDevice(this.#carrier.header("user-agent")),
      secret,
      startedAt: this.startedAt,
      now: this.now(),
      transactions: this.#counted ? 0 : 1,
    };
  }

  #answer(push: Parameters<typeof answerPush>[2], outcome: Parameters<typeof answerPush>[3]): Answer {
    if (this.#record) return answerPush(this.definition, this.#record, push, outcome, this.now());
    const { acked, notes } = outcome;
    return { ok: true, identifier: null, rev: 0, acked, decided: {}, entries: {}, deleted: {}, notes, facts: null };
  }

  /** Takes in what the store holds instead of what this request had read. Throws when that leaves nothing to write to. */
  #meet(record: SessionRecord | null, creating: boolean, nonce: string | undefined): void {
    const now = this.now();
    if (creating) {
      // The identifier is taken: by another first request of the same browser, which tells by the nonce, or by nobody we know.
      const secret = record && nonce ? claimSecret(readCredentials(record.entries), nonce, now) : null;
      if (record && secret !== null && expiresAt(record) > now) {
        this.#admit(record, hashToken(secret), { kind: "current", issuedAt: this.startedAt }, secret);
      } else this.#identifier = mintIdentifier();
      return;
    }
    this.#ended = record === null || expiresAt(record) <= now;
    if (record === null) throw gone();
    if (this.#ended) throw new SessionError("SESSION_EXPIRED", "The session expired meanwhile: nothing was written");
    this.#record = record;
  }

  /** Throws when a new token cannot reach the browser. */
  assertIssue(): void {
    if (!this.#mintedSecret) this.assertCookie("Starting a session");
  }

  #issue(secret: string): void {
    const record = this.#record;
    if (!record) return;
    this.#hash = hashToken(secret);
    this.#standing = { kind: "current", issuedAt: this.startedAt };
    if (!this.#mintedSecret && !this.#carrier.setCookie(this.#cookie(record.identifier, secret, record.endsAt))) {
      throw new SessionError(
        "HEADERS_SENT",
        "The response's headers have left without the session's cookie: write before you answer",
      );
    }
    this.#mintedSecret = null;
  }

  #cookie(identifier: string, secret: string, endsAt: number): string {
    return writeCookie(this.#settings.cookie, formatToken({ identifier, secret }), (endsAt - this.now()) / 1000);
  }

  async #end(draft: Draft): Promise<void> {
    this.#ended = true;
    const record = this.#record;
    if (draft.wishes.push) {
      draft.wishes.push.answer = refusal("SESSION_GONE");
    }
    if (!record) return;
    this.#touches.forget(record.identifier);
    await this.#settings.store.delete(record.identifier);
    this.#carrier.setCookie(writeCookie(this.#settings.cookie, "", 0));
    const { clearSiteData } = this.#settings;
    if (clearSiteData.length > 0)
      this.#carrier.setHeader("clear-site-data", clearSiteData.map((what) => `"${what}"`).join(", "));
  }

  /** Counts a transaction that changed nothing, in time. */
  #touch(): Promise<void> | undefined {
    if (!this.#record || this.#counted) return undefined;
    this.#counted = true;
    const written = this.#touches.add(this.#record, this.startedAt);
    const { transactions } = this.#record;
    this.#record = { ...this.#record, accessedAt: this.startedAt, transactions: transactions + 1 };
    return written;
  }
}

function gone(): SessionError {
  return new SessionError(
    "SESSION_GONE",
    "The session has ended: nothing was written, and the next transaction starts a new one",
  );
}
