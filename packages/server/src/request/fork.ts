import {
  type AnyDefinition,
  applyOp,
  type ChangesEvent,
  type ChangesInput,
  decode,
  freezeInDevelopment,
  type Key,
  type Previous,
  type Push,
  SessionError,
  type SessionState,
  type Transaction,
} from "@catnap/shared";
import type { TrackedEnvelope } from "@trpc/server";
import { assertTicketCount } from "../identity/credentials.ts";
import type { ProvenHome } from "../identity/fresh.ts";
import { withTicket } from "../identity/ticket.ts";
import { formatToken, mintSecret } from "../identity/tokens.ts";
import { assertSubjectText } from "../stores/subject-text.ts";
import { unreadable } from "../stores/unreadable.ts";
import type { SyncHome } from "../sync/router.ts";
import { Draft, type PendingPush, subjectMismatch } from "./draft.ts";

/** What a fork needs of the request that it belongs to. */
export interface ForkOrigin {
  readonly definition: AnyDefinition;
  readonly previous: Previous;
  readonly tickets: boolean;
  /** The longest that a session may live. */
  readonly lifetimeMs: number;
  state(): SessionState;
  /** Mints the identifier of a session that has no record yet. */
  identify(): string;
  subject(): string | null;
  authenticatedAt(): number | null;
  /** When the token of this request was given out at a login, or after one; `null`: it was not. */
  provenAt(): number | null;
  /** What the commit of a login will call its time. */
  readonly startedAt: number;
  now(): number;
  /** The encoded value that the request holds: what calls before this one handed over, else the record's. */
  current(name: string): string | null;
  names(): Iterable<string>;
  /** Throws when the response cannot carry a new cookie any more. */
  assertCookie(what: string): void;
  /** Throws `TOKEN_ROTATED` when the request's token may not do this any more. */
  assertToken(what: string): void;
  hashTicket(secret: string): string;
  follow(input: ChangesInput, left: AbortSignal | undefined): AsyncIterable<TrackedEnvelope<ChangesEvent>>;
  /** Takes a call's changes over and commits them. */
  commit(draft: Draft): Promise<void>;
}

/**
 * The session as one procedure call holds it: the request's, with this call's own changes on top. Nobody else sees them
 * until the call has succeeded; when it throws, they are dropped with the fork.
 */
export class Fork implements SyncHome, ProvenHome {
  readonly side = "server";
  readonly decoded: Map<string, unknown> = new Map();
  readonly #origin: ForkOrigin;
  readonly #sleep: (fork: Fork) => Promise<void>;
  #draft = new Draft();
  #ended = false;
  #closed = false;
  #followed = false;

  /** `sleep` is what sleeping does: a call's own fork commits. */
  constructor(origin: ForkOrigin, sleep: (fork: Fork) => Promise<void> = (fork) => fork.save()) {
    this.#origin = origin;
    this.#sleep = sleep;
  }

  get definition(): AnyDefinition {
    return this.#origin.definition;
  }

  /** Hands the changes over and starts anew. */
  take(): Draft {
    const draft = this.#draft;
    this.#draft = new Draft();
    return draft;
  }

  /** The transaction is over: what is written from here on throws. */
  close(): void {
    this.#closed = true;
  }

  state(): SessionState & { identifier: string } {
    const state = this.#origin.state();
    const { timeoutMs } = this.#draft.wishes;
    const identifier = state.identifier ?? this.#origin.identify();
    if (timeoutMs === undefined) return { ...state, identifier };
    return { ...state, identifier, timeoutMs, expiresAt: Math.min(state.expiresAt, this.now() + timeoutMs) };
  }

  now(): number {
    return this.#origin.now();
  }

  read(key: Key): unknown {
    const encoded = this.#encoded(key.name);
    if (encoded === null) return undefined;
    const known = this.decoded.get(key.name);
    if (known !== undefined) return known;
    const value = this.#decode(key, encoded);
    this.decoded.set(key.name, value);
    return value;
  }

  names(): string[] {
    this.#assertLive();
    const names = new Set([...this.#origin.names(), ...this.#draft.changes.keys()]);
    return [...names].filter((name) => this.#encoded(name) !== null);
  }

  write(key: Key, encoded: string | null, once = false): void {
    this.#assertOpen();
    const from = this.#encoded(key.name);
    if (from === encoded) return;
    const joined = (current: string | null) =>
      applyOp(key, { seq: 0, key: key.name, value: encoded, base: 0, from }, current);
    if (once) this.#draft.put({ key, value: encoded, from, redo: (current) => current, once });
    else this.#draft.put({ key, value: encoded, from, redo: key.merge ? joined : null });
    this.decoded.delete(key.name);
  }

  update(key: Key, change: (current: unknown) => unknown): unknown {
    this.#assertOpen();
    const redo = (current: string | null) =>
      key.encode(change(current === null ? key.fallback() : this.#decode(key, current)));
    const from = this.#encoded(key.name);
    this.#draft.put({ key, value: redo(from), from, redo });
    this.decoded.delete(key.name);
    return this.read(key);
  }

  isDirty(): boolean {
    return !this.#draft.isEmpty;
  }

  setDirty(dirty: boolean): void {
    this.#assertOpen();
    this.#assertLive();
    const { force: _, ...wishes } = this.#draft.wishes;
    this.#draft.wishes = dirty ? { ...wishes, force: true } : wishes;
  }

  setTimeout(seconds: number): void {
    const { lifetimeMs } = this.#origin;
    if (seconds * 1000 > lifetimeMs) {
      throw new SessionError(
        "INVALID_TIMEOUT",
        `A timeout of ${seconds} seconds is longer than the lifetime of a session (${lifetimeMs / 1000}): shorten it, or raise lifetime in createSessions`,
      );
    }
    this.#wish({ timeoutMs: seconds * 1000 });
  }

  async invalidate(): Promise<void> {
    this.#origin.assertCookie("invalidate");
    this.#wish({ invalidate: true });
    this.#ended = true;
    this.decoded.clear();
  }

  awake(): void {
    // The request has loaded the record before it made this fork.
  }

  sleep(_trans: Transaction): Promise<void> {
    return this.#sleep(this);
  }

  async save(): Promise<void> {
    this.#assertOpen();
    await this.#origin.commit(this.take());
    this.decoded.clear();
  }

  rotate(): void {
    this.#origin.assertToken("rotate");
    this.#origin.assertCookie("rotate");
    this.#wish({ rotate: "asked" });
  }

  login(subject: string): void {
    if (typeof subject !== "string" || subject === "" || subject.length > 256) {
      throw new SessionError("INVALID_OPTION", "login takes the subject's identifier: a string of 1 to 256 characters");
    }
    assertSubjectText(subject);
    const bound = this.subject();
    if (bound !== null && bound !== subject) throw subjectMismatch();
    this.#origin.assertToken("login");
    this.#origin.assertCookie("login");
    this.#wish({ rotate: "asked", subject });
  }

  push(push: Push): void {
    this.#wish({ push: { push, answer: null } });
  }

  get pendingPush(): PendingPush | undefined {
    return this.#draft.wishes.push;
  }

  /** What the call yields is the session's own live stream, whose transaction is over as it begins. */
  get isFollowed(): boolean {
    return this.#followed;
  }

  follow(input: ChangesInput, left: AbortSignal | undefined): AsyncIterable<TrackedEnvelope<ChangesEvent>> {
    this.#followed = true;
    return this.#origin.follow(input, left);
  }

  subject(): string | null {
    this.#assertLive();
    return this.#draft.wishes.subject ?? this.#origin.subject();
  }

  authenticatedAt(): number | null {
    this.#assertLive();
    return this.#draft.wishes.subject === undefined ? this.#origin.authenticatedAt() : this.#origin.startedAt;
  }

  provenAt(): number | null {
    this.#assertLive();
    return this.#draft.wishes.subject === undefined ? this.#origin.provenAt() : this.#origin.startedAt;
  }

  previous(): Previous {
    return this.#origin.previous;
  }

  async ticketUrl(url: string): Promise<string> {
    if (!this.#origin.tickets) {
      throw new SessionError("TICKETS_DISABLED", "sessionEncode needs createSessions({ tickets: true })");
    }
    this.#origin.assertToken("sessionEncode");
    const secret = mintSecret();
    const hashes = [...(this.#draft.wishes.tickets ?? []), this.#origin.hashTicket(secret)];
    assertTicketCount(hashes.length);
    this.#wish({ tickets: hashes });
    return withTicket(url, formatToken({ identifier: this.state().identifier, secret }));
  }

  #decode(key: Key, encoded: string): unknown {
    try {
      const value = freezeInDevelopment(decode(encoded, key.name));
      if (value !== undefined) return value;
    } catch {
      // Told below, as what is superjson of nothing.
    }
    // What this process has encoded it decodes; so it is the store's.
    throw unreadable(this.state().identifier, key.name);
  }

  #wish(wishes: Draft["wishes"]): void {
    this.#assertOpen();
    this.#assertLive();
    Object.assign(this.#draft.wishes, wishes);
  }

  #encoded(name: string): string | null {
    this.#assertLive();
    const change = this.#draft.changes.get(name);
    return change ? change.value : this.#origin.current(name);
  }

  #assertOpen(): void {
    if (!this.#closed) return;
    throw new SessionError(
      "SESSION_CLOSED",
      "The transaction is over, and what is written now would not be kept: write before the procedure or handler returns, and await what it starts",
    );
  }

  #assertLive(): void {
    if (this.#ended) {
      throw new SessionError("SESSION_GONE", "This session was invalidated: the next transaction starts a new one");
    }
  }
}
