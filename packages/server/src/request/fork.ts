import {
  type AnyDefinition,
  type ChangesEvent,
  type ChangesInput,
  type Key,
  type LoginOptions,
  type Previous,
  type Push,
  SessionError,
  type SessionState,
} from "@catnap/shared";
import type { TrackedEnvelope } from "@trpc/server";
import { Draft, type PendingPush, subjectMismatch } from "../commit/draft.ts";
import { assertTicketCount } from "../identity/credentials.ts";
import type { ProvenHome } from "../identity/fresh.ts";
import { withTicket } from "../identity/ticket.ts";
import { formatToken, mintSecret } from "../identity/tokens.ts";
import { boolean } from "../option-checks.ts";
import type { SyncHome } from "../sync/router.ts";
import { assertTimeout } from "../upkeep/clocks.ts";
import type { ForkOrigin } from "./fork-origin.ts";
import { ForkValues } from "./fork-values.ts";
import { readLogin } from "./login-options.ts";
import type { SessionView } from "./session-view.ts";

const over =
  "The transaction is over, and what is written now would not be kept: write before the procedure or handler returns, await what it starts, and call sessions.open(identifier, …) for what comes later";

/**
 * The session as one procedure call holds it: the request's, with this call's own changes on top. Nobody else sees them
 * until the call has succeeded; when it throws, they are dropped with the fork.
 */
export class Fork implements SyncHome, ProvenHome {
  readonly side = "server";
  readonly definition: AnyDefinition;
  readonly #view: SessionView;
  readonly #values: ForkValues;
  readonly #origin: ForkOrigin;
  readonly #sleep: (fork: Fork) => Promise<void>;
  #ended = false;
  /** Why nothing can be written any more. */
  #closed: string | null = null;
  #followed = false;

  /** `sleep` is what sleeping does: a call's own fork commits. */
  constructor(view: SessionView, origin: ForkOrigin, sleep: (fork: Fork) => Promise<void> = (fork) => fork.save()) {
    this.#view = view;
    this.definition = view.definition;
    this.#values = new ForkValues(view);
    this.#origin = origin;
    this.#sleep = sleep;
  }

  get decoded(): Map<string, unknown> {
    return this.#values.decoded;
  }

  get #draft(): Draft {
    return this.#values.draft;
  }

  /** Hands the changes over and starts anew. */
  take(): Draft {
    const { draft } = this.#values;
    this.#values.draft = new Draft();
    return draft;
  }

  /** What is written from here on throws: by default because the transaction is over. */
  close(why: string = over): void {
    this.#closed ??= why;
  }

  /** What the call wants so far. */
  get pending(): Draft {
    return this.#draft;
  }

  state(): SessionState & { identifier: string } {
    const { timeoutMs, replace } = this.#draft.wishes;
    const view = this.#view.state(replace);
    const state = { ...view, identifier: view.identifier ?? this.#view.identify() };
    if (timeoutMs === undefined) return state;
    return { ...state, timeoutMs, expiresAt: Math.min(state.expiresAt, this.now() + timeoutMs) };
  }

  now(): number {
    return this.#view.now();
  }

  read(key: Key): unknown {
    this.#assertLive();
    return this.#values.read(key);
  }

  encoded(key: Key): string | null {
    return this.#values.encoded(key);
  }

  names(): string[] {
    this.#assertLive();
    return this.#values.names();
  }

  write(key: Key, encoded: string | null, once = false): void {
    this.#assertOpen();
    this.#assertLive();
    this.#values.write(key, encoded, once);
  }

  update(key: Key, change: (current: unknown) => unknown): unknown {
    this.#assertOpen();
    this.#assertLive();
    this.#values.update(key, change);
    return this.read(key);
  }

  isDirty(): boolean {
    return !this.#draft.isEmpty;
  }

  setDirty(dirty: boolean): void {
    this.#assertOpen();
    this.#assertLive();
    const { force: _, ...wishes } = this.#draft.wishes;
    this.#draft.madeOn ??= this.#view.generation;
    this.#draft.wishes = dirty ? { ...wishes, force: true } : wishes;
  }

  setTimeout(seconds: number): void {
    assertTimeout(seconds, this.#view.lifetimeMs);
    this.#wish({ timeoutMs: seconds * 1000 });
  }

  setPersistent(persistent: boolean): void {
    boolean("setPersistent's argument", persistent);
    this.#view.assertToken("setPersistent");
    this.#view.assertCookie("setPersistent");
    this.#wish({ persistent });
  }

  async invalidate(): Promise<void> {
    this.#view.assertEnd();
    this.#wish({ invalidate: true });
    this.#ended = true;
    this.decoded.clear();
  }

  awake(): void {
    // The request has loaded the record before it made this fork.
  }

  sleep(): Promise<void> {
    return this.#sleep(this);
  }

  async save(): Promise<void> {
    this.#assertOpen();
    await this.#origin.commit(this.take());
    this.decoded.clear();
  }

  rotate(): void {
    this.#view.assertCookie("rotate");
    this.#view.assertToken("rotate");
    this.#wish({ rotate: "asked" });
  }

  login(subject: string, options: LoginOptions<string> = {}): void {
    const bound = this.subject();
    const replace = this.#view.replacing(readLogin(this.definition, subject, options), this.#draft);
    if (!replace && bound !== null && bound !== subject) throw subjectMismatch();
    this.#view.assertCookie("login");
    this.#view.assertToken("login");
    this.#assertOpen();
    if (replace) this.#values.leave(replace);
    this.#wish({ rotate: "asked", subject, ...(replace && { replace }) });
  }

  bears(identifier: string): boolean {
    return this.state().identifier === identifier || this.#view.isDead(identifier);
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
    return this.#draft.wishes.subject ?? this.#view.subject();
  }

  authenticatedAt(): number | null {
    this.#assertLive();
    return this.#draft.wishes.subject === undefined ? this.#view.authenticatedAt() : this.#view.startedAt;
  }

  provenAt(): number | null {
    this.#assertLive();
    return this.#draft.wishes.subject === undefined ? this.#view.provenAt() : this.#view.startedAt;
  }

  previous(): Previous {
    return this.#view.previous;
  }

  async ticketUrl(url: string): Promise<string> {
    if (!this.#view.tickets)
      throw new SessionError("TICKETS_DISABLED", "sessionEncode needs createSessions({ tickets: true })");
    this.#view.assertAsked("sessionEncode");
    this.#view.assertTicketUrl(url);
    this.#view.assertToken("sessionEncode");
    const secret = mintSecret();
    const hashes = [...(this.#draft.wishes.tickets ?? []), this.#view.hashTicket(secret)];
    assertTicketCount(hashes.length);
    this.#wish({ tickets: hashes });
    return withTicket(url, formatToken({ identifier: this.state().identifier, secret }));
  }

  #wish(wishes: Draft["wishes"]): void {
    this.#assertOpen();
    this.#assertLive();
    this.#draft.madeOn ??= this.#view.generation;
    Object.assign(this.#draft.wishes, wishes);
  }

  #assertOpen(): void {
    if (this.#closed !== null) throw new SessionError("SESSION_CLOSED", this.#closed);
  }

  #assertLive(): void {
    if (this.#ended) {
      throw new SessionError("SESSION_GONE", "This session was invalidated: the next transaction starts a new one");
    }
  }
}
