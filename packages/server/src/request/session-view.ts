import type { AnyDefinition, Previous, Push, SessionSnapshot, SessionState } from "@catnap/shared";
import { pushOn } from "../commit/commit-plan.ts";
import { Draft, type Replacement, replay } from "../commit/draft.ts";
import type { SessionHold } from "../commit/session-hold.ts";
import { invalid } from "../option-checks.ts";
import type { Settings } from "../settings.ts";
import { type EntryChange, expiresAt, type SessionRecord } from "../stores/store.ts";
import { gone } from "../upkeep/ending.ts";
import type { Sight } from "../versions/lens.ts";
import { sightOf } from "./misfits.ts";
import type { PushOutcome } from "./push-first.ts";
import { snapshotOf } from "./snapshot.ts";

type Entries = SessionRecord["entries"] | undefined;

/**
 * The session as one request sees it: its record, and on top what the calls that succeeded have handed over. The fork of
 * each call starts from it.
 */
export class SessionView {
  /** What calls have handed over and no commit has taken yet. */
  draft: Draft = new Draft();
  /** Counts the sessions of this request: a login that replaces one makes it the next. */
  generation = 0;
  /** What a push of this request will change, and the entries on which that was worked out. */
  #coming: { readonly on: Entries; readonly changes: ReadonlyMap<string, EntryChange> } | null = null;
  readonly #settings: Settings;
  readonly #hold: SessionHold;

  constructor(settings: Settings, hold: SessionHold) {
    this.#settings = settings;
    this.#hold = hold;
  }

  /** Gives the draft to a commit and starts anew. */
  take(): Draft {
    const { draft } = this;
    this.draft = new Draft();
    return draft;
  }

  get definition(): AnyDefinition {
    return this.#settings.definition;
  }

  get previous(): Previous {
    return this.#hold.bearer.previous;
  }

  /** The longest that a session may live. */
  get lifetimeMs(): number {
    return this.#settings.lifetimeMs;
  }

  get tickets(): boolean {
    return this.#settings.tickets;
  }

  now(): number {
    return this.#settings.clock();
  }

  /** What the commit of a login will call its time. */
  get startedAt(): number {
    return this.#hold.startedAt;
  }

  /** The session's identifier; mints that of a session that has no record yet. */
  identify(): string {
    return this.draft.wishes.replace?.identifier ?? this.#hold.record?.identifier ?? this.#hold.identify();
  }

  /** Whether the request came with a cookie of this session, which opens nothing any more. */
  isDead(identifier: string): boolean {
    return !this.#hold.record && this.#hold.bearer.named.includes(identifier);
  }

  /** The session that a login makes in the place of the one at hand; `undefined`: it replaces none, or there is none. */
  replacing(keep: Replacement["keep"] | null, { wishes }: Draft): Replacement | undefined {
    if (!keep || !this.#hold.record) return undefined;
    if (wishes.replace ?? this.draft.wishes.replace)
      throw invalid(
        "login has replaced the session already: one transaction replaces it once, or once after each save()",
      );
    return { keep, identifier: this.#settings.tokens.mintIdentifier() };
  }

  /** `replace`: of the session that is to take the place of the one at hand. */
  state(replace: Replacement | undefined = this.draft.wishes.replace): SessionState {
    const record = replace ? null : this.#hold.bound;
    const own = this.#hold.counted && !replace ? 0 : 1;
    if (record) {
      const { identifier, createdAt, timeoutMs, endsAt } = record;
      const timeout = this.draft.wishes.timeoutMs ?? timeoutMs;
      return {
        identifier,
        createdAt,
        accessedAt: record.accessedAt,
        transactions: record.transactions + own,
        timeoutMs: timeout,
        expiresAt: expiresAt({
          endsAt,
          timeoutMs: timeout,
          accessedAt: this.#hold.idle ? record.accessedAt : this.startedAt,
        }),
      };
    }
    const timeoutMs = this.draft.wishes.timeoutMs ?? this.#settings.timeoutMs;
    const [createdAt, accessedAt] = [this.startedAt, this.startedAt];
    return {
      identifier: replace?.identifier ?? this.#hold.identifier,
      createdAt,
      accessedAt,
      transactions: own,
      timeoutMs,
      expiresAt: createdAt + timeoutMs,
    };
  }

  subject(): string | null {
    return this.draft.wishes.subject ?? this.#hold.record?.subject ?? null;
  }

  authenticatedAt(): number | null {
    return this.draft.wishes.subject === undefined ? (this.#hold.record?.authenticatedAt ?? null) : this.startedAt;
  }

  /** When the token of this request was given out at a login, or after one; `null`: it was not. */
  provenAt(): number | null {
    const { record, bearer } = this.#hold;
    if (this.draft.wishes.subject !== undefined) return this.startedAt;
    return record && bearer.provenAt(record);
  }

  /** The encoded value that the request holds: what calls before this one handed over, else the record's. */
  current(name: string): string | null {
    if (this.#hold.ended) throw gone();
    const { changes, wishes } = this.draft;
    const change = changes.get(name);
    if (wishes.replace && !wishes.replace.keep.has(name)) return change ? change.value : null;
    const pushed = this.#pushed()?.get(name)?.value;
    if (pushed !== undefined) return change ? replay(change, pushed) : pushed;
    return change ? change.value : this.#look(name).value;
  }

  /** Throws where the session holds a value of another version that today's definition cannot use. */
  assertFit(name: string): void {
    const { changes, wishes } = this.draft;
    if (changes.has(name) || wishes.replace || this.#pushed()?.has(name)) return;
    const { unfit } = this.#look(name);
    if (unfit) throw unfit;
  }

  #look(name: string): Sight {
    return sightOf(this.#settings, this.#hold.record, name);
  }

  /**
   * Shows, from here on, what a push that was handed over will change: the commit applies it before what the calls have
   * changed. Gives the answer that refuses the push, or how far the push will be decided.
   */
  foresee(push: Push): PushOutcome {
    const { record } = this.#hold;
    const refused = this.#hold.refuse(push);
    if (refused) return refused;
    // What the push begins, the calls name as it will be called.
    if (!record && push.nonce !== undefined) this.#hold.identifier ??= this.#settings.tokens.identifierOf(push.nonce);
    const { changes, acked } = pushOn(this.#settings, record, push);
    this.#coming = { on: record?.entries, changes };
    return { ok: true, acked };
  }

  /** Once the push is committed, its changes are the record's. */
  #pushed(): ReadonlyMap<string, EntryChange> | undefined {
    return this.#coming?.on === this.#hold.record?.entries ? this.#coming?.changes : undefined;
  }

  *names(): Iterable<string> {
    for (const [name, { value }] of this.#hold.record?.entries ?? []) {
      if (value !== null && this.definition.keys.has(name)) yield name;
    }
    yield* this.#pushed()?.keys() ?? [];
    yield* this.draft.changes.keys();
  }

  /** Throws when the response cannot carry a new cookie any more. */
  assertCookie(what: string): void {
    this.#hold.bearer.assertCookie(what);
  }

  /** Throws where the session may not be ended: its browser would keep a cookie that opens nothing. Without a request there is none. */
  assertEnd(): void {
    if (!this.#hold.bearer.isUnasked) this.assertCookie("invalidate");
  }

  /** Throws `HEADERS_SENT` where nobody has asked for anything. */
  assertAsked(what: string): void {
    this.#hold.bearer.assertAsked(what);
  }

  /** Throws `TOKEN_ROTATED` when the request's token may not do this any more. */
  assertToken(what: string): void {
    if (this.#hold.record) this.#hold.bearer.assertToken(what, this.#hold.record);
  }

  /** Throws `INVALID_OPTION` for a URL that a ticket must not go to. */
  assertTicketUrl(url: string): void {
    this.#hold.bearer.assertTicketUrl(url);
  }

  hashTicket(secret: string): string {
    return this.#settings.tokens.hashTicket(secret);
  }

  /** The state for a server-rendered page: on top of the record, what calls have changed that are not over yet. */
  snapshot(open: Iterable<Draft>): SessionSnapshot {
    return snapshotOf({
      definition: this.definition,
      record: this.#hold.bound,
      drafts: [this.draft, ...open],
      now: this.now(),
      identify: () => this.identify(),
    });
  }
}
