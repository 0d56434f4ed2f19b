import { setTimeout as pause } from "node:timers/promises";
import { type Answer, SessionError } from "@catnap/shared";
import { describeDevice } from "../identity/device.ts";
import type { Settings } from "../settings.ts";
import type { Commit, SessionRecord } from "../stores/store.ts";
import { answerPush, notesTo, refusal, screenPush } from "../sync/answer.ts";
import { boundBy, expiryOf, isOutdated } from "../upkeep/clocks.ts";
import { endSession, gone, wasEnded } from "../upkeep/ending.ts";
import type { Logins } from "../upkeep/logins.ts";
import { contended, type Turn, type Turns } from "../upkeep/turns.ts";
import { Bearer } from "./bearer.ts";
import { type Circumstances, type CommitPlan, committed, planCommit } from "./commit-plan.ts";
import type { Draft } from "./draft.ts";
import type { Exchange } from "./exchange.ts";
import type { Recognisers } from "./recognise.ts";

/** For so long a commit is tried again that other writers have overtaken, in milliseconds. */
const patienceMs = 10_000;
/** The longest pause between two tries, in milliseconds. */
const longestPauseMs = 100;

/** What the requests of one server have in common. */
export interface Shared extends Recognisers {
  readonly logins: Logins;
  /** Whose turn it is to commit to a session that several requests want to change at once. */
  readonly turns: Turns<SessionRecord>;
}

/** The parts that `SessionHold` needs; the request makes them. */
export interface HoldParts {
  readonly settings: Settings;
  readonly shared: Shared;
  readonly exchange: Exchange;
  /** The response's headers leave before any procedure runs. */
  readonly streams: boolean;
  /** The request is no use of the session: it keeps nothing alive. */
  readonly idle: boolean;
}

/**
 * What one request has of its session: the record that its cookie opened, and the way back to the store. It knows of no
 * procedures: what they changed comes to it as one draft.
 */
export class SessionHold {
  readonly startedAt: number;
  readonly bearer: Bearer;
  /** As the store has it; its times are today's only by `bound`. */
  record: SessionRecord | null = null;
  /** Of a session without a record yet. */
  identifier: string | null = null;
  /** The session has ended under this request: nothing may be read or written any more. */
  ended = false;
  /** The transaction was counted, or is none. */
  counted: boolean;
  readonly #settings: Settings;
  readonly #shared: Shared;
  readonly #exchange: Exchange;
  readonly #idle: boolean;
  #admitted = false;

  constructor({ settings, shared, exchange, streams, idle }: HoldParts) {
    this.#settings = settings;
    this.#shared = shared;
    this.#exchange = exchange;
    this.#idle = idle;
    this.counted = idle;
    this.startedAt = settings.clock();
    this.bearer = new Bearer(settings, exchange, streams, this.startedAt);
  }

  now(): number {
    return this.#settings.clock();
  }

  /** The record by today's settings. */
  get bound(): SessionRecord | null {
    return this.record && boundBy(this.#settings, this.record);
  }

  /** Mints the identifier of a session that has no record yet. */
  identify(): string {
    this.identifier ??= this.#settings.tokens.mintIdentifier();
    return this.identifier;
  }

  async load(redeems = true): Promise<void> {
    this.record = await this.bearer.load(this.#shared, redeems);
  }

  /** Whether the record is due for a commit although nothing in it changed. */
  due(): boolean {
    const { record, bearer } = this;
    return record !== null && (bearer.renews(record) || bearer.confirms() || isOutdated(this.#settings, record));
  }

  /** Answers a push that may not be applied to this session, before anything of it is; the rest of the draft goes on. */
  screen(draft: Draft): void {
    const pending = draft.wishes.push;
    if (!pending) return;
    const { previous, named } = this.bearer;
    const cannotBegin = !this.record && pending.push.ops.length > 0 && !this.bearer.canSetCookie();
    const met = { record: this.bound, previous, named };
    const refused = cannotBegin ? refusal("HEADERS_SENT") : screenPush(this.#settings, met, pending.push, this.now());
    if (refused) answer(draft, refused);
  }

  /** Writes a draft; one that logs in, when its subject may have one more session. */
  commit(draft: Draft): Promise<void> {
    const { record, bearer } = this;
    const { wishes } = draft;
    if (record && bearer.renews(record)) wishes.rotate ??= "renewal";
    if (bearer.confirms()) wishes.confirm = true;
    const write = (deadline: number) => this.#write(draft, deadline);
    if (wishes.subject === undefined || wishes.subject === record?.subject)
      return write(performance.now() + patienceMs);
    return this.#shared.logins.admit(wishes.subject, () => this.record?.identifier ?? null, write);
  }

  /**
   * Writes a draft, once more on what another writer has left as often as one comes between. Commits of this process that
   * depend on what is there take turns, and each goes on from what the one before has left: none of them is refused but for
   * another process's. Blind ones wait for nobody.
   */
  async #write(draft: Draft, deadline: number): Promise<void> {
    const { turns } = this.#shared;
    let turn: Turn<SessionRecord> | undefined;
    let leaves: SessionRecord | undefined;
    try {
      for (let refusals = 0; ; refusals++) {
        if (refusals > 1) await pause(Math.random() * Math.min(longestPauseMs, 2 ** refusals));
        if (performance.now() > deadline) throw contended();
        const identifier = this.#identifierFor(draft);
        let plan = planCommit(this.#settings, draft, this.#circumstances());
        if (!turn && (refusals > 0 || (plan.commit && plan.commit.expect.size > 0))) {
          turn = await turns.take(identifier, deadline);
          if (this.record && turn.left && turn.left.rev > this.record.rev) {
            this.record = turn.left;
            plan = planCommit(this.#settings, draft, this.#circumstances());
          }
        }
        const outcome = plan.commit ? await this.#try(draft, identifier, plan.commit, plan.issues) : await this.touch();
        if (outcome === "refused") continue;
        if (outcome !== "overtaken") leaves = this.record ?? undefined;
        await this.#answer(draft, plan, outcome === "overtaken");
        return;
      }
    } finally {
      turn?.end(leaves);
    }
  }

  #identifierFor(draft: Draft): string {
    const nonce = draft.wishes.push?.push.nonce;
    const { tokens } = this.#settings;
    return this.record?.identifier ?? this.identifier ?? (nonce ? tokens.identifierOf(nonce) : this.identify());
  }

  /** `overtaken`: it is in, and others have committed other keys since this request read. */
  async #try(
    draft: Draft,
    identifier: string,
    commit: Commit,
    issues: boolean,
  ): Promise<"refused" | "overtaken" | "in"> {
    const { store } = this.#settings;
    const nonce = draft.wishes.push?.push.nonce;
    if (issues) this.bearer.assertIssue();
    if (commit.create) await this.#assertAdmitted();
    const result = await store.write(identifier, commit);
    if (!result.ok) {
      this.#meet(result.record, commit.create !== undefined, nonce);
      return "refused";
    }
    if (commit.create && nonce !== undefined && (await wasEnded(this.#settings, identifier))) {
      await store.delete(identifier);
      this.identifier = this.#settings.tokens.mintIdentifier();
      answer(draft, { ...refusal("SESSION_GONE"), identifier });
      return "refused";
    }
    const overtaken = result.rev > (this.record?.rev ?? 0) + 1;
    this.record = committed(identifier, this.record, commit, result.rev);
    this.counted = true;
    if (issues && !this.bearer.issue(this.record)) await this.#undelivered(identifier, commit.create !== undefined);
    return overtaken ? "overtaken" : "in";
  }

  /** The headers have left while the store wrote. */
  async #undelivered(identifier: string, created: boolean): Promise<never> {
    // A session that nobody has a token of is none.
    if (created) await this.#settings.store.delete(identifier);
    throw new SessionError(
      "HEADERS_SENT",
      "The response's headers have left without the session's cookie: await the session's work before you answer",
    );
  }

  /** Takes in what the store holds instead of what this request had read. Throws when that leaves nothing to write to. */
  #meet(record: SessionRecord | null, creating: boolean, nonce: string | undefined): void {
    if (creating) {
      // The identifier is taken: by another first request of the same browser, or by nobody we know.
      if (record && nonce !== undefined && this.bearer.claims(record, nonce)) this.record = record;
      else this.identifier = this.#settings.tokens.mintIdentifier();
      return;
    }
    this.ended = record === null || expiryOf(this.#settings, record) <= this.now();
    if (record === null) throw gone();
    if (this.ended) throw new SessionError("SESSION_EXPIRED", "The session expired meanwhile: nothing was written");
    this.record = record;
  }

  /** Asks the app's limiter, once per request, before the first record of a visitor. */
  async #assertAdmitted(): Promise<void> {
    if (this.#admitted) return;
    const { header, address } = this.#exchange;
    if ((await this.#settings.admit?.({ header, address })) === false) {
      throw new SessionError("RATE_LIMITED", "No new session for this visitor just now: try again later");
    }
    this.#admitted = true;
  }

  #circumstances(): Circumstances {
    const { record, startedAt } = this;
    return {
      record,
      hash: this.bearer.hash,
      device: () => describeDevice(this.#exchange.header("user-agent")),
      secret: () => this.bearer.secret(),
      startedAt,
      accessedAt: this.#idle && record ? record.accessedAt : startedAt,
      now: this.now(),
      transactions: record && this.counted ? 0 : 1,
    };
  }

  /** Answers the push that was committed. Whatever fails here, the commit is in: the push alone is told, and comes again. */
  async #answer({ wishes }: Draft, { pushed }: CommitPlan, overtaken: boolean): Promise<void> {
    const pending = wishes.push;
    if (!pending || !pushed) return;
    const { definition, store } = this.#settings;
    const { push } = pending;
    try {
      // An answer at this revision owes the tab the others' keys, too.
      if (overtaken && this.record) this.record = (await store.read(this.record.identifier)) ?? this.record;
      const { acked } = pushed;
      const empty = { rev: 0, acked, decided: {}, entries: {}, deleted: {}, facts: null };
      pending.answer = this.bound
        ? answerPush(definition, this.bound, push, pushed, this.now())
        : { ok: true, identifier: null, ...empty, notes: notesTo(push, pushed.notes, []) };
    } catch (error) {
      pending.failure = error;
    }
  }

  /** Ends the session here, in the store and in the browser. */
  async end({ wishes }: Draft): Promise<void> {
    this.ended = true;
    if (wishes.push) wishes.push.answer = refusal("SESSION_GONE");
    if (!this.record) return;
    await endSession(this.#settings, this.#shared.accessTimes, this.record.identifier);
    this.bearer.takeBack();
  }

  /** Counts a transaction that changed nothing, in time. */
  touch(): Promise<void> | undefined {
    const { record } = this;
    if (!record || this.counted || this.ended) return undefined;
    this.counted = true;
    const written = this.#shared.accessTimes.add(boundBy(this.#settings, record), this.startedAt);
    this.record = { ...record, accessedAt: this.startedAt, transactions: record.transactions + 1 };
    return written;
  }
}

/** Answers a push, and takes it out of the draft. */
function answer(draft: Draft, given: Answer): void {
  const { push, ...wishes } = draft.wishes;
  if (push) push.answer = given;
  draft.wishes = wishes;
}
