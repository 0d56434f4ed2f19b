import {
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
import { crossSite, foreignerBehind } from "../identity/cross-site.ts";
import type { Settings } from "../settings.ts";
import { expiresAt, type SessionRecord } from "../stores/store.ts";
import { factsOf } from "../sync/answer.ts";
import { followChanges } from "../sync/live.ts";
import type { Streams } from "../sync/streams.ts";
import { decidedIn } from "../sync/watermarks.ts";
import { gone } from "../upkeep/ending.ts";
import { Barrier } from "./barrier.ts";
import { Draft } from "./draft.ts";
import { type Exchange, exchangeOf, type RequestInfo } from "./exchange.ts";
import { Fork, type ForkOrigin } from "./fork.ts";
import { SessionHold, type Shared } from "./session-hold.ts";
import type { UnderWay } from "./under-way.ts";

/** What the requests of one server have in common. */
export interface RequestShared extends Shared {
  readonly streams: Streams;
  readonly underWay: UnderWay;
}

/** One call's hold on the session, from the moment it starts to the moment its changes are handed over. */
export interface Call {
  readonly session: Session;
  readonly fork: Fork;
  /** Hands the changes over and resolves when they are committed. */
  succeed(): Promise<void>;
  /** Goes on for as long as it likes: the other calls of the request do not wait for it any more, nor does a server that closes. */
  linger(): void;
  /** As `succeed`, where nobody is left to be told of a failure: `report` is. */
  abandon(): Promise<void>;
  /** Drops the changes, and notes that the session was used all the same, unless the store is what failed. */
  fail(error: unknown): Promise<void>;
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
  readonly #liveStreams: Streams;
  readonly #exchange: Exchange;
  readonly #hold: SessionHold;
  readonly #barrier: Barrier;
  readonly #streams: boolean;
  readonly #underWay: UnderWay;
  readonly #calls: number;
  readonly #trans: Transaction;
  #draft = new Draft();
  #opening: Promise<void> | null = null;
  #life: Fork | null = null;
  #lifeSession: Session | null = null;
  #flushing: Promise<void> | null = null;
  #tail: Promise<void> = Promise.resolve();
  #guarded = false;

  constructor(
    settings: Settings,
    shared: RequestShared,
    exchange: Exchange,
    info: RequestInfo | undefined,
    reason: string,
  ) {
    this.#settings = settings;
    this.#liveStreams = shared.streams;
    this.#underWay = shared.underWay;
    this.#exchange = exchange;
    this.#streams = info?.accept === "application/jsonl" || info?.type === "subscription";
    this.#calls = info?.calls.length ?? 1;
    this.#barrier = new Barrier(this.#streams ? undefined : info);
    this.#trans = { side: "server", reason };
    this.#hold = new SessionHold({
      settings,
      shared,
      exchange,
      streams: this.#streams,
      idle: info?.type === "subscription",
    });
    if (!this.#streams) return;
    exchange.keepPrivate(); // now or never
    if (info?.type === "mutation") this.#hold.identifier = this.#hold.bearer.mintEarly();
  }

  /** A session outside any request, for the `expiring` hook: it can be read, and not written to. */
  static over(settings: Settings, shared: RequestShared, record: SessionRecord): RequestSession {
    const request = new RequestSession(settings, shared, exchangeOf({ headers: new Headers() }), undefined, "expiring");
    request.#hold.record = record;
    return request;
  }

  get definition(): AnyDefinition {
    return this.#settings.definition;
  }

  get previous(): Previous {
    return this.#hold.bearer.previous;
  }

  get lifetimeMs(): number {
    return this.#settings.lifetimeMs;
  }

  get tickets(): boolean {
    return this.#settings.tickets;
  }

  now(): number {
    return this.#settings.clock();
  }

  get startedAt(): number {
    return this.#hold.startedAt;
  }

  identify(): string {
    return this.#hold.identify();
  }

  state(): SessionState {
    const record = this.#hold.bound;
    const own = this.#hold.counted ? 0 : 1;
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
      identifier: this.#hold.identifier,
      createdAt,
      accessedAt,
      transactions: own,
      timeoutMs,
      expiresAt: createdAt + timeoutMs,
    };
  }

  subject(): string | null {
    return this.#draft.wishes.subject ?? this.#hold.record?.subject ?? null;
  }

  authenticatedAt(): number | null {
    return this.#draft.wishes.subject === undefined ? (this.#hold.record?.authenticatedAt ?? null) : this.startedAt;
  }

  provenAt(): number | null {
    const { record, bearer } = this.#hold;
    if (this.#draft.wishes.subject !== undefined) return this.startedAt;
    return record && bearer.provenAt(record);
  }

  current(name: string): string | null {
    if (this.#hold.ended) throw gone();
    const change = this.#draft.changes.get(name);
    return change ? change.value : (this.#hold.record?.entries.get(name)?.value ?? null);
  }

  *names(): Iterable<string> {
    for (const [name, { value }] of this.#hold.record?.entries ?? []) {
      if (value !== null && this.definition.keys.has(name)) yield name;
    }
    yield* this.#draft.changes.keys();
  }

  assertCookie(what: string): void {
    this.#hold.bearer.assertCookie(what);
  }

  assertToken(what: string): void {
    if (this.#hold.record) this.#hold.bearer.assertToken(what, this.#hold.record);
  }

  hashTicket(secret: string): string {
    return this.#settings.tokens.hashTicket(secret);
  }

  /**
   * Refuses a cross-site request with `CROSS_SITE`, or reports it, as the settings say; asked before every mutation and
   * subscription, and again before anything is committed. Reads nothing: an app may ask for procedures without a session.
   */
  guard(): void {
    if (this.#guarded) return;
    const foreigner = foreignerBehind(this.#exchange, this.#settings.origins);
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
      if (!this.#streams) this.#exchange.keepPrivate();
      this.#opening = this.#settings.hasLife ? this.#awake() : this.#hold.load();
    }
    return this.#opening;
  }

  async #awake(): Promise<void> {
    await this.#hold.load();
    this.#life = new Fork(this, async (life) => this.#collect(life.take()));
    this.#lifeSession = new this.#settings.Session(this.#life);
    await this.#settings.hooks?.awake?.(this.#lifeSession, this.#trans);
    await this.#lifeSession.awake(this.#trans);
    this.#draft.absorb(this.#life.take());
  }

  /** Reads the record for `snapshot` alone: a ticket stays unused, and nobody is told that the session awakes. */
  async peek(): Promise<void> {
    await this.#hold.load(false);
  }

  /** Opens the session and starts a call on a fork of its own. */
  async begin(): Promise<Call> {
    let left = this.#underWay.enter();
    try {
      await this.open();
    } catch (error) {
      left();
      throw error;
    }
    this.#barrier.enter();
    const fork = new Fork(this);
    let open = true;
    /** What the call starts and does not await finds the fork closed. */
    const close = () => {
      fork.close();
      if (open) this.#barrier.leave();
      open = false;
    };
    let lingers = false;
    const succeed = async () => {
      if (lingers) left = this.#underWay.enter();
      try {
        const draft = fork.take();
        fork.close();
        const changed = !draft.isEmpty;
        if (changed) this.#collect(draft);
        if (lingers) await this.#enqueue();
        else await this.#settle(changed);
      } finally {
        close();
        left();
      }
    };
    return {
      fork,
      session: new this.#settings.Session(fork),
      succeed,
      linger: () => {
        lingers = true;
        if (open) this.#barrier.leave();
        open = false;
        left();
      },
      abandon: () => succeed().catch((error: unknown) => this.#settings.report({ kind: "background", error })),
      fail: async (error) => {
        close();
        if (!SessionError.from(error)?.code.startsWith("STORE_")) await this.#hold.touch();
        left();
      },
    };
  }

  /** The live stream of the session that this request has opened. */
  follow(
    input: ChangesInput,
    left: AbortSignal | undefined,
  ): AsyncGenerator<TrackedEnvelope<ChangesEvent>, void, void> {
    const gone = this.previous === "expired" ? "SESSION_EXPIRED" : "SESSION_GONE";
    const followed = { record: this.#hold.record, hash: this.#hold.bearer.hash, gone } as const;
    return followChanges(this.#settings, this.#liveStreams, followed, input, left);
  }

  /** The state that a server-rendered page starts from. Whoever asks for it uses the session. */
  async snapshot(): Promise<SessionSnapshot> {
    await this.#hold.touch();
    const entries: Record<string, { value: string; rev: number }> = {};
    for (const [name, { value, rev }] of this.#hold.record?.entries ?? []) {
      const key = this.definition.keys.get(name);
      if (value !== null && key && key.access !== "secret") entries[name] = { value, rev };
    }
    const record = this.#hold.bound;
    return {
      identifier: record?.identifier ?? null,
      rev: record?.rev ?? 0,
      entries,
      decided: record ? decidedIn(record) : {},
      facts: record ? factsOf(record, this.now()) : null,
    };
  }

  async commit(draft: Draft): Promise<void> {
    if (!draft.isEmpty) this.#collect(draft);
    await this.#enqueue();
  }

  #collect(draft: Draft): void {
    if (this.#hold.ended) throw gone();
    this.guard();
    this.#draft.absorb(draft);
  }

  /** Waits for the other calls of the batch, then commits with them. A stream holds no call for another. */
  async #settle(changed: boolean): Promise<void> {
    if (this.#streams) return this.#enqueue();
    if (!changed && !this.#due()) {
      // Nothing to wait for; but somebody has to count the transaction when nobody changes anything.
      return this.#hold.touch();
    }
    await this.#barrier.everyone();
    this.#flushing ??= this.#enqueue().finally(() => {
      this.#flushing = null;
    });
    await this.#flushing;
  }

  /** Whether the request's end has work even for a call that changed nothing. */
  #due(): boolean {
    return this.#settings.hasLife || !this.#draft.isEmpty || this.#hold.due();
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
    if (draft.wishes.invalidate) return this.#hold.end(draft);
    this.#hold.screen(draft);
    if (draft.isEmpty && !this.#hold.due()) await this.#hold.touch();
    else await this.#hold.commit(draft);
  }

  async #fallAsleep(): Promise<void> {
    const session = this.#lifeSession;
    if (!session || this.#hold.ended || this.#draft.wishes.invalidate) return;
    await this.#settings.hooks?.respond?.(session, this.#trans);
    await session.respond(this.#trans);
    await this.#settings.hooks?.sleep?.(session, this.#trans);
    await session.sleep(this.#trans);
    if (!this.#streams) this.#life?.close();
  }
}
