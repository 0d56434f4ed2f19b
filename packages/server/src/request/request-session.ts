import {
  type AnyDefinition,
  type ChangesEvent,
  type ChangesInput,
  SessionError,
  type SessionSnapshot,
  type Transaction,
} from "@catnap/shared";
import type { TrackedEnvelope } from "@trpc/server";
import type { Settings } from "../settings.ts";
import type { SessionRecord } from "../stores/store.ts";
import { followChanges } from "../sync/live.ts";
import type { Streams } from "../sync/streams.ts";
import { gone } from "../upkeep/ending.ts";
import { Barrier } from "./barrier.ts";
import { Call } from "./call.ts";
import type { Draft } from "./draft.ts";
import { DraftWriter, type Queues } from "./draft-writer.ts";
import { type Exchange, exchangeOf, type RequestInfo } from "./exchange.ts";
import { Fork, type ForkOrigin } from "./fork.ts";
import { Guard } from "./guard.ts";
import { Life } from "./life.ts";
import type { Recognisers } from "./recognise.ts";
import { SessionHold } from "./session-hold.ts";
import { SessionView } from "./session-view.ts";
import type { UnderWay } from "./under-way.ts";

/** What the requests of one server have in common. */
export interface RequestShared extends Recognisers, Queues {
  readonly streams: Streams;
  readonly underWay: UnderWay;
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
  readonly #guard: Guard;
  readonly #hold: SessionHold;
  readonly #view: SessionView;
  readonly #writer: DraftWriter;
  readonly #barrier: Barrier;
  readonly #streams: boolean;
  readonly #underWay: UnderWay;
  readonly #calls: number;
  readonly #trans: Transaction;
  #opening: Promise<void> | null = null;
  #life: Life | null = null;
  #flushing: Promise<void> | null = null;
  #tail: Promise<void> = Promise.resolve();

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
    this.#guard = new Guard(settings, exchange, reason);
    this.#hold = new SessionHold({
      settings,
      recognisers: shared,
      exchange,
      streams: this.#streams,
      idle: info?.type === "subscription",
    });
    this.#view = new SessionView(settings, this.#hold);
    this.#writer = new DraftWriter(settings, shared, exchange, this.#hold);
    if (!this.#streams) return;
    exchange.keepPrivate(); // now or never
    if (info?.type === "mutation") this.#hold.identifier = this.#hold.bearer.mintEarly();
  }

  /** A session outside any request, for the `expiring` hook: it can be read, and not written to. */
  static over(settings: Settings, shared: RequestShared, record: SessionRecord): Fork {
    const request = new RequestSession(settings, shared, exchangeOf({ headers: new Headers() }), undefined, "expiring");
    request.#hold.record = record;
    const fork = new Fork(request.#view, request);
    fork.close(); // what is written now would go with the session
    return fork;
  }

  /**
   * Refuses a cross-site request with `CROSS_SITE`, or reports it, as the settings say; asked before every mutation and
   * subscription, and again before anything is committed. Reads nothing: an app may ask for procedures without a session.
   */
  guard(): void {
    this.#guard.pass();
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
    const fork = new Fork(this.#view, this, async (life) => this.#collect(life.take()));
    this.#life = new Life(this.#settings, fork, this.#trans);
    await this.#life.awake();
    this.#view.draft.absorb(fork.take());
  }

  /** Reads the record for `snapshot` alone: a ticket stays unused, and nobody is told that the session awakes. */
  async peek(): Promise<void> {
    await this.#hold.load(false);
  }

  /** Opens the session and starts a call on a fork of its own. */
  async begin(): Promise<Call> {
    const left = this.#underWay.enter();
    try {
      await this.open();
    } catch (error) {
      left();
      throw error;
    }
    const origin = {
      settings: this.#settings,
      barrier: this.#barrier,
      underWay: this.#underWay,
      settle: (draft: Draft) => this.#settle(draft),
      commit: (draft: Draft) => this.commit(draft),
      touch: () => this.#hold.touch(),
    };
    return new Call(origin, new Fork(this.#view, this), left);
  }

  /** The live stream of the session that this request has opened. */
  follow(
    input: ChangesInput,
    left: AbortSignal | undefined,
  ): AsyncGenerator<TrackedEnvelope<ChangesEvent>, void, void> {
    const { record, bearer } = this.#hold;
    const gone = bearer.previous === "expired" ? "SESSION_EXPIRED" : "SESSION_GONE";
    const followed = { record, hash: bearer.hash, gone } as const;
    return followChanges(this.#settings, this.#liveStreams, followed, input, left);
  }

  /** The state that a server-rendered page starts from. Whoever asks for it uses the session. */
  async snapshot(): Promise<SessionSnapshot> {
    await this.#hold.touch();
    return this.#view.snapshot();
  }

  async commit(draft: Draft): Promise<void> {
    if (!draft.isEmpty) this.#collect(draft);
    await this.#enqueue();
  }

  #collect(draft: Draft): void {
    if (this.#hold.ended) throw gone();
    this.guard();
    this.#view.draft.absorb(draft);
  }

  /** Waits for the other calls of the batch, then commits with them. A stream holds no call for another. */
  async #settle(draft: Draft): Promise<void> {
    const changed = !draft.isEmpty;
    if (changed) this.#collect(draft);
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
    return this.#settings.hasLife || !this.#view.draft.isEmpty || this.#hold.due();
  }

  /** One commit after another: a stream's calls each bring their own. */
  #enqueue(): Promise<void> {
    const mine = this.#tail.then(() => this.#flush());
    this.#tail = mine.catch(() => undefined); // a failed commit is its own callers' to hear of
    return mine;
  }

  async #flush(): Promise<void> {
    await this.#fallAsleep();
    const draft = this.#view.take();
    if (draft.wishes.invalidate) return this.#hold.end(draft);
    this.#hold.screen(draft);
    if (draft.isEmpty && !this.#hold.due()) await this.#hold.touch();
    else await this.#writer.commit(draft);
  }

  async #fallAsleep(): Promise<void> {
    const life = this.#life;
    if (!life || this.#hold.ended || this.#view.draft.wishes.invalidate) return;
    await life.respondAndSleep();
    if (!this.#streams) life.close();
  }
}
