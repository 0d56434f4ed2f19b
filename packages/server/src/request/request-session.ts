import {
  type ChangesEvent,
  type ChangesInput,
  revisionHeader,
  type Session,
  SessionError,
  type SessionSnapshot,
  type Transaction,
} from "@catnap/shared";
import type { TrackedEnvelope } from "@trpc/server";
import type { Recognisers } from "../bearer/recognise.ts";
import type { Draft } from "../commit/draft.ts";
import { DraftWriter, type Queues } from "../commit/draft-writer.ts";
import { SessionHold } from "../commit/session-hold.ts";
import type { Exchange, RequestInfo } from "../exchange/exchange.ts";
import { noExchange } from "../exchange/no-exchange.ts";
import type { Settings } from "../settings.ts";
import type { SessionRecord } from "../stores/store.ts";
import { followChanges } from "../sync/live.ts";
import { isBarePush } from "../sync/push-procedures.ts";
import type { Streams } from "../sync/streams.ts";
import { Barrier } from "./barrier.ts";
import { Call } from "./call.ts";
import type { Living } from "./follow.ts";
import { Fork } from "./fork.ts";
import type { ForkOrigin } from "./fork-origin.ts";
import { Guard } from "./guard.ts";
import { Life } from "./life.ts";
import { PushFirst } from "./push-first.ts";
import { RequestCommits } from "./request-commits.ts";
import { SessionView } from "./session-view.ts";
import type { UnderWay } from "./under-way.ts";

/** What the requests of one server have in common. */
export interface RequestShared extends Recognisers, Queues {
  readonly streams: Streams;
  readonly underWay: UnderWay;
  /** The transactions around a request's handlers, by the place's request. */
  readonly around: WeakMap<object, RequestSession>;
}

/**
 * The session during one HTTP request, which is one transaction: the record is read once, however many procedures a
 * batch holds; each call works on a fork; the forks of the calls that succeed are committed together, once. Made without
 * any I/O.
 */
export class RequestSession implements ForkOrigin {
  readonly #settings: Settings;
  readonly #liveStreams: Streams;
  readonly #exchange: Exchange;
  readonly #guard: Guard;
  readonly #hold: SessionHold;
  readonly #view: SessionView;
  readonly #commits: RequestCommits;
  readonly #barrier: Barrier;
  readonly #streams: boolean;
  /** The response can tell the browser the session's revision: it is tRPC's, and its headers wait for the calls. */
  readonly #tells: boolean;
  readonly #underWay: UnderWay;
  readonly #calls: number;
  /** All that it does is a push, between whose reading and writing nothing of the app's runs. */
  readonly #isPush: boolean;
  readonly #trans: Transaction;
  /** Of the calls that are not over. */
  readonly #forks = new Set<Fork>();
  #peeking: Promise<void> | null = null;
  #opening: Promise<void> | null = null;

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
    this.#isPush = this.#calls === 1 && !settings.hasLife && isBarePush(info?.calls[0]?.procedure);
    this.#tells = info !== undefined && !this.#streams;
    // Before the barrier, which counts a call that waits for the push as one that runs.
    const pushFirst = new PushFirst(info);
    this.#barrier = new Barrier(this.#streams ? undefined : info);
    this.#trans = { side: "server", reason };
    this.#guard = new Guard(settings, exchange, reason, info !== undefined);
    this.#hold = new SessionHold({
      settings,
      recognisers: shared,
      exchange,
      streams: this.#streams,
      idle: info?.type === "subscription",
    });
    this.#view = new SessionView(settings, this.#hold);
    const writer = new DraftWriter(settings, shared, exchange, this.#hold);
    this.#commits = new RequestCommits({
      settings,
      guard: this.#guard,
      hold: this.#hold,
      view: this.#view,
      writer,
      barrier: this.#barrier,
      streams: this.#streams,
      pushFirst,
    });
    if (!this.#streams) return;
    exchange.keepPrivate(); // now or never
    if (info?.type === "mutation") this.#hold.identifier = this.#hold.bearer.mintEarly();
  }

  /** A session without a request, whose record was read already. Nothing that happens to it counts as a use of it. */
  static of(settings: Settings, shared: RequestShared, record: SessionRecord, reason: string): RequestSession {
    const request = new RequestSession(settings, shared, noExchange, undefined, reason);
    request.#hold.adopt(record);
    request.#peeking = Promise.resolve();
    return request;
  }

  /** A session for the `expiring` hook: it can be read, and not written to. */
  static over(settings: Settings, shared: RequestShared, record: SessionRecord): Fork {
    const request = RequestSession.of(settings, shared, record, "expiring");
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
      this.#opening = this.#awake();
    }
    return this.#opening;
  }

  async #awake(): Promise<void> {
    await this.#peeking;
    // A peek has redeemed no ticket.
    if (!this.#peeking || (this.#settings.tickets && !this.#hold.record))
      await this.#hold.load({ recalls: this.#isPush });
    if (!this.#settings.hasLife) return;
    const fork = new Fork(this.#view, this, async (life) => this.#commits.collect(life.take()));
    const life = new Life(this.#settings, fork, this.#trans);
    await life.awake();
    this.#view.draft.absorb(fork.take());
    this.#commits.life = life;
  }

  /** Reads the record for whoever only looks: a ticket stays unused, and nobody is told that the session awakes. */
  async #peek(): Promise<void> {
    if (!this.#opening) {
      this.#exchange.keepPrivate();
      this.#peeking ??= this.#hold.load({ redeems: false });
    }
    await (this.#opening ?? this.#peeking);
    await this.#hold.touch();
  }

  /** A session to be read. */
  async read(): Promise<Session> {
    await this.#peek();
    const fork = new Fork(this.#view, this);
    fork.close(
      "The session is only read here: write to it in run(), and with Next in an action or a route handler, by withSession()",
    );
    return new this.#settings.Session(fork);
  }

  /** The state that a server-rendered page starts from. */
  async snapshot(): Promise<SessionSnapshot> {
    await this.#peek();
    return this.#view.snapshot([...this.#forks].map(({ pending }) => pending));
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
    const fork = new Fork(this.#view, this);
    this.#forks.add(fork);
    const origin = {
      settings: this.#settings,
      barrier: this.#barrier,
      underWay: this.#underWay,
      settle: (draft: Draft) => this.#commits.settle(draft),
      commit: (draft: Draft) => this.commit(draft),
      touch: () => this.#hold.touch(),
      over: () => void this.#forks.delete(fork),
    };
    return new Call(origin, fork, () => {
      if (this.#tells) this.#exchange.setHeader(revisionHeader, this.#hold.revision);
      left();
    });
  }

  /** What a subscription of the application's follows. */
  living(fork: Fork): Living {
    const { watch } = this.#settings.store;
    const identifier = this.#hold.record?.identifier;
    return {
      ...(watch && identifier !== undefined && { watch: (listener: () => void) => watch(identifier, listener) }),
      look: async () => {
        const leftMs = await this.#hold.look();
        fork.decoded.clear();
        return leftMs;
      },
      report: (error) => this.#settings.report({ kind: "background", error }),
    };
  }

  /** The live stream of the session that this request has opened. */
  follow(
    input: ChangesInput,
    left: AbortSignal | undefined,
  ): AsyncGenerator<TrackedEnvelope<ChangesEvent>, void, void> {
    const { record, bearer } = this.#hold;
    const causes = { none: "NO_COOKIE", expired: "SESSION_EXPIRED", unknown: "SESSION_GONE" } as const;
    const followed = { record, hash: bearer.hash, gone: causes[bearer.previous] };
    return followChanges(this.#settings, this.#liveStreams, followed, input, left);
  }

  commit(draft: Draft): Promise<void> {
    return this.#commits.commit(draft);
  }
}
