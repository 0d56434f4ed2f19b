import { type Answer, type Push, SessionError } from "@catnap/shared";
import { Bearer } from "../bearer/bearer.ts";
import type { Recognisers } from "../bearer/recognise.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { Settings } from "../settings.ts";
import type { SessionRecord } from "../stores/store.ts";
import { answerPush, notesTo, refusal, screenPush, waits } from "../sync/answer.ts";
import type { AppliedPush } from "../sync/push.ts";
import { boundBy, expiryOf, isOutdated } from "../upkeep/clocks.ts";
import { endSession, endSurely, gone, isLiving } from "../upkeep/ending.ts";
import type { Draft } from "./draft.ts";

/** The parts that `SessionHold` needs; the request makes them. */
export interface HoldParts {
  readonly settings: Settings;
  readonly recognisers: Recognisers;
  readonly exchange: Exchange;
  /** The response's headers leave before any procedure runs. */
  readonly streams: boolean;
  /** The request is no use of the session: it keeps nothing alive. */
  readonly idle: boolean;
}

/**
 * What one request has of its session: the record that its cookie opened, and what became of it since. It knows of no
 * procedures: what they changed comes as one draft, which `DraftWriter` brings to the store.
 */
export class SessionHold {
  readonly startedAt: number;
  readonly bearer: Bearer;
  /** The request is no use of the session: it keeps nothing alive. */
  idle: boolean;
  /** As the store has it; its times are today's only by `bound`. */
  record: SessionRecord | null = null;
  /** Of a session without a record yet. */
  identifier: string | null = null;
  /** The session has ended under this request: nothing may be read or written any more. */
  ended = false;
  /** The transaction was counted, or is none. */
  counted: boolean;
  readonly #settings: Settings;
  readonly #recognisers: Recognisers;

  constructor({ settings, recognisers, exchange, streams, idle }: HoldParts) {
    this.#settings = settings;
    this.#recognisers = recognisers;
    this.idle = idle;
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

  /** What `revisionHeader` tells the browser: `sessionLink` asks for news only when there are some. */
  get revision(): string {
    const { record, ended } = this;
    return record ? `${ended ? "Infinity" : record.rev} ${record.identifier}` : "0";
  }

  /** Mints the identifier of a session that has no record yet. */
  identify(): string {
    this.identifier ??= this.#settings.tokens.mintIdentifier();
    return this.identifier;
  }

  /**
   * Reads the record, unless the store has just given it: `met`. With `recalls`, what the store remembers will do, until something
   * depends on it.
   */
  async load(options: { redeems?: boolean; recalls?: boolean; met?: SessionRecord | null } = {}): Promise<void> {
    const { redeems = true, recalls = false, met = null } = options;
    this.record = await this.bearer.load(this.#recognisers, { redeems, recalls, met });
    if (this.record && this.bearer.isOutlived(this.record)) this.idle = this.counted = true;
  }

  /** Takes a record that was read for no request. */
  adopt(record: SessionRecord): void {
    this.record = record;
    this.idle = this.counted = true;
  }

  /**
   * Reads the session anew, for a subscription that follows it. Gives when it expires, in milliseconds from now. Throws
   * `SESSION_GONE` or `SESSION_EXPIRED` when it has ended, or its token opens it no more.
   */
  async look(): Promise<number> {
    const { record, bearer } = this;
    if (!record || bearer.hash === null) return Number.POSITIVE_INFINITY;
    const stored = await this.#settings.store.read(record.identifier);
    const found = stored && this.#recognisers.accessTimes.ahead(stored);
    const now = this.now();
    const isOpen = found && ["current", "superseded", "grace"].includes(bearer.standingIn(found).kind);
    this.ended = !isOpen || expiryOf(this.#settings, found) <= now;
    if (!isOpen) throw gone();
    if (this.ended) throw new SessionError("SESSION_EXPIRED", "The session has expired");
    if (found.rev >= record.rev) this.record = found;
    return expiryOf(this.#settings, found) - now;
  }

  /** Whether the record is due for a commit although nothing in it changed. */
  due(): boolean {
    const { record, bearer } = this;
    return record !== null && (bearer.renews(record) || bearer.confirms() || isOutdated(this.#settings, record));
  }

  /** The answer to a push that may not be applied to this session; `null`: apply it. */
  refuse(push: Push): Answer | null {
    const { previous, named } = this.bearer;
    if (!this.record && push.ops.length > 0 && !this.bearer.canSetCookie()) return refusal("HEADERS_SENT");
    return screenPush(this.#settings, { record: this.bound, previous, named }, push, this.now());
  }

  /** Answers a push that may not be applied, before anything of it is; the rest of the draft goes on. */
  screen(draft: Draft): void {
    const pending = draft.wishes.push;
    const refused = pending ? this.refuse(pending.push) : null;
    if (refused) draft.answerPush(refused);
  }

  /** Takes in what the store holds instead of what this request had read, for another try. Throws when that leaves nothing to write to. */
  meet(record: SessionRecord | null, creating: boolean, nonce: string | undefined): void {
    if (creating) {
      // The identifier is taken: by another first request of the same browser, or by nobody we know.
      if (record && nonce !== undefined && this.bearer.claims(record, nonce)) this.record = record;
      else this.identifier = this.#settings.tokens.mintIdentifier();
      return;
    }
    this.ended = !isLiving(record) || expiryOf(this.#settings, record) <= this.now();
    if (!isLiving(record)) throw gone();
    if (this.ended) throw new SessionError("SESSION_EXPIRED", "The session expired meanwhile: nothing was written");
    this.record = record;
  }

  /**
   * Answers the push that was committed; `overtaken`: others have committed other keys since this request read. Whatever
   * fails here, the commit is in: the push alone is told, and comes again.
   */
  async answer({ wishes }: Draft, pushed: AppliedPush | null, overtaken: boolean): Promise<void> {
    const pending = wishes.push;
    if (!pending || !pushed) return;
    const { definition, store } = this.#settings;
    const { push } = pending;
    try {
      // An answer at this revision owes the tab the others' keys, too.
      if (overtaken && this.record) this.record = (await store.read(this.record.identifier)) ?? this.record;
      const { acked, undecided } = pushed;
      const waiting = waits(new Map(), push.writer, undecided);
      const empty = { rev: 0, acked, decided: {}, ...waiting, entries: {}, deleted: {}, facts: null };
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
    if (this.record) await endSession(this.#settings, this.#recognisers.accessTimes, this.record.identifier);
    // A cookie whose session is dead already goes, too.
    this.bearer.takeBack();
  }

  /** From here on, the request's session is another. */
  succeed(record: SessionRecord): void {
    this.record = record;
    this.identifier = record.identifier;
    this.counted = true;
    this.idle = false;
  }

  /** Ends the session that another has taken the place of. The login stands: where the store fails, it is tried again later. */
  retire(identifier: string): Promise<void> {
    return endSurely(this.#settings, this.#recognisers.accessTimes, identifier);
  }

  /** Counts a transaction that changed nothing, in time. */
  touch(): Promise<void> | undefined {
    const { record } = this;
    if (!record || this.counted || this.ended) return undefined;
    this.counted = true;
    const written = this.#recognisers.accessTimes.add(boundBy(this.#settings, record), this.startedAt);
    this.record = { ...record, accessedAt: this.startedAt, transactions: record.transactions + 1 };
    return written;
  }
}
