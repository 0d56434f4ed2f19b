import { type Answer, type Previous, SessionError } from "@catnap/shared";
import { readCookie, writeCookie } from "../identity/cookie.ts";
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
} from "../identity/credentials.ts";
import { describeDevice } from "../identity/device.ts";
import { redeemTicket } from "../identity/ticket.ts";
import type { Settings } from "../settings.ts";
import { expiresAt, type SessionRecord } from "../store.ts";
import { answerPush, notesTo, refusal, screenPush } from "../sync/answer.ts";
import type { AccessTimes } from "../upkeep/access-times.ts";
import type { Subjects } from "../upkeep/subjects.ts";
import { type Circumstances, committed, planCommit } from "./commit-plan.ts";
import type { Draft } from "./draft.ts";
import type { Exchange } from "./exchange.ts";

/** After so many conflicts in a row a commit gives up. */
const maxAttempts = 20;

/** What a hold works with. */
export interface HoldParts {
  readonly settings: Settings;
  readonly accessTimes: AccessTimes;
  readonly subjects: Subjects;
  readonly exchange: Exchange;
  /** The response's headers leave before any procedure runs. */
  readonly streams: boolean;
}

/**
 * What one request has of its session: the record that its cookie opened, by which token, and the way back to the store
 * and to the browser. It knows of no procedures: what they changed comes to it as one draft.
 */
export class SessionHold {
  readonly startedAt: number;
  record: SessionRecord | null = null;
  /** The hash of the token that this request presented, or was given. */
  hash: string | null = null;
  previous: Previous = "none";
  /** Of a session without a record yet. */
  identifier: string | null = null;
  /** The session has ended under this request: nothing may be read or written any more. */
  ended = false;
  /** The transaction was counted. */
  counted = false;
  readonly #settings: Settings;
  readonly #accessTimes: AccessTimes;
  readonly #subjects: Subjects;
  readonly #exchange: Exchange;
  readonly #streams: boolean;
  #standing: Standing = { kind: "unknown" };
  /** The session that the request's cookie names, whether or not its token opens it. */
  #named: string | null = null;
  /** Of a session whose cookie left before its record was written. */
  #mintedSecret: string | null = null;
  #admitted = false;

  constructor({ settings, accessTimes, subjects, exchange, streams }: HoldParts) {
    this.#settings = settings;
    this.#accessTimes = accessTimes;
    this.#subjects = subjects;
    this.#exchange = exchange;
    this.#streams = streams;
    this.startedAt = settings.clock();
  }

  now(): number {
    return this.#settings.clock();
  }

  /** Mints the identifier of a session that has no record yet. */
  identify(): string {
    this.identifier ??= mintIdentifier();
    return this.identifier;
  }

  /** A stream's headers leave before its first procedure runs: a visitor without a cookie gets one now or never. */
  mintEarly(): void {
    if (readCookie(this.#exchange.header("cookie"), this.#settings.cookie.name) !== "none") return;
    const [identifier, secret] = [mintIdentifier(), mintSecret()];
    if (!this.#exchange.setCookie(this.#cookie(identifier, secret, this.startedAt + this.#settings.lifetimeMs))) return;
    this.identifier = identifier;
    this.#mintedSecret = secret;
  }

  /** Reads the record that the request's cookie names, or its ticket, when the token opens it. */
  async load(): Promise<void> {
    const cookie = readCookie(this.#exchange.header("cookie"), this.#settings.cookie.name);
    if (cookie === "refused") this.previous = "unknown";
    else if (cookie !== "none") await this.#recognise(cookie.identifier, cookie.secret);
    if (this.record || !this.#settings.tickets || this.#streams) return;
    const handed = await redeemTicket(this.#settings, this.#exchange.url);
    if (handed)
      this.#admit(handed.record, hashToken(handed.secret), { kind: "current", issuedAt: this.now() }, handed.secret);
  }

  async #recognise(identifier: string, secret: string): Promise<void> {
    this.previous = "unknown";
    this.#named = identifier;
    const stored = await this.#settings.store.read(identifier);
    if (!stored) return;
    const record = this.#accessTimes.ahead(stored);
    const now = this.now();
    const hash = hashToken(secret);
    const standing = judge(readCredentials(record.entries), hash, now);
    if (standing.kind === "reused") await this.#reused(record);
    if (standing.kind === "reused" || standing.kind === "unknown") return;
    if (expiresAt(record) <= now) {
      this.previous = "expired";
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
    this.previous = "none";
    this.record = record;
    this.hash = hash;
    this.#standing = standing;
    if (secret !== undefined) this.#exchange.setCookie(this.#cookie(record.identifier, secret, record.endsAt));
  }

  /** Whether the token is due for its successor. */
  renews(): boolean {
    if (this.#streams || this.#standing.kind !== "current") return false;
    return this.#standing.issuedAt + this.#settings.renewalMs <= this.startedAt;
  }

  /** Answers a push that may not be applied to this session, before anything of it is; the rest of the draft goes on. */
  screen(draft: Draft): void {
    const pending = draft.wishes.push;
    if (!pending) return;
    pending.answer = this.#streams && !this.record && pending.push.ops.length > 0 ? refusal("HEADERS_SENT") : null;
    const met = { record: this.record, previous: this.previous, named: this.#named };
    pending.answer ??= screenPush(this.#settings.definition, met, pending.push, this.now());
    if (pending.answer) {
      const { push: _, ...wishes } = draft.wishes;
      draft.wishes = wishes;
    }
  }

  /** Writes a draft, once more on what another writer has left as often as one comes between. */
  async commit(draft: Draft): Promise<void> {
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
      if (issues) this.#assertIssue();
      const identifier = this.record?.identifier ?? this.identifier ?? (nonce ? identifierOf(nonce) : this.identify());
      if (commit) {
        if (commit.create) await this.#assertAdmitted();
        const binds = commit.subject !== undefined && commit.subject !== this.record?.subject ? commit.subject : null;
        if (binds !== null) await this.#subjects.assertRoom(binds);
        const result = await store.write(identifier, commit);
        if (!result.ok) {
          this.#meet(result.record, commit.create !== undefined, nonce);
          continue;
        }
        const overtaken = result.rev > (this.record?.rev ?? 0) + 1;
        this.record = committed(identifier, this.record, commit, result.rev);
        this.counted = true;
        if (binds !== null) await this.#subjects.keepWithin(binds, identifier);
        if (issues) this.#issue(secret());
        // Others have committed other keys since this request read: an answer at this revision owes the tab theirs too.
        if (overtaken && pending) this.record = (await store.read(identifier)) ?? this.record;
      } else await this.touch();
      if (pending && pushed) pending.answer = this.#answer(pending.push, pushed);
      return;
    }
    throw new SessionError("CONFLICT", "Other writers of the same values kept winning: try again");
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

  #circumstances(secret: () => string): Circumstances {
    return {
      record: this.record,
      hash: this.hash,
      device: () => describeDevice(this.#exchange.header("user-agent")),
      secret,
      startedAt: this.startedAt,
      now: this.now(),
      transactions: this.counted ? 0 : 1,
    };
  }

  #answer(push: Parameters<typeof answerPush>[2], outcome: Parameters<typeof answerPush>[3]): Answer {
    if (this.record) return answerPush(this.#settings.definition, this.record, push, outcome, this.now());
    const { acked } = outcome;
    const notes = notesTo(push, outcome.notes, []);
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
      } else this.identifier = mintIdentifier();
      return;
    }
    this.ended = record === null || expiresAt(record) <= now;
    if (record === null) throw gone();
    if (this.ended) throw new SessionError("SESSION_EXPIRED", "The session expired meanwhile: nothing was written");
    this.record = record;
  }

  /** Throws when the response cannot carry a new cookie any more. */
  assertCookie(what: string): void {
    if (!this.#streams) return;
    throw new SessionError(
      "HEADERS_SENT",
      `${what} needs a cookie, but a streaming response has sent its headers: route this procedure over httpLink or httpBatchLink (a splitLink decides per operation)`,
    );
  }

  /** Throws when a new token cannot reach the browser. */
  #assertIssue(): void {
    if (!this.#mintedSecret) this.assertCookie("Starting a session");
  }

  #issue(secret: string): void {
    const record = this.record;
    if (!record) return;
    this.hash = hashToken(secret);
    this.#standing = { kind: "current", issuedAt: this.startedAt };
    if (!this.#mintedSecret && !this.#exchange.setCookie(this.#cookie(record.identifier, secret, record.endsAt))) {
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

  /** Ends the session here, in the store and in the browser. */
  async end(draft: Draft): Promise<void> {
    this.ended = true;
    const record = this.record;
    if (draft.wishes.push) {
      draft.wishes.push.answer = refusal("SESSION_GONE");
    }
    if (!record) return;
    this.#accessTimes.forget(record.identifier);
    await this.#settings.store.delete(record.identifier);
    this.#exchange.setCookie(writeCookie(this.#settings.cookie, "", 0));
    const { clearSiteData } = this.#settings;
    if (clearSiteData.length > 0)
      this.#exchange.setHeader("clear-site-data", clearSiteData.map((what) => `"${what}"`).join(", "));
  }

  /** Counts a transaction that changed nothing, in time. */
  touch(): Promise<void> | undefined {
    if (!this.record || this.counted) return undefined;
    this.counted = true;
    const written = this.#accessTimes.add(this.record, this.startedAt);
    const { transactions } = this.record;
    this.record = { ...this.record, accessedAt: this.startedAt, transactions: transactions + 1 };
    return written;
  }
}

/** What is thrown where a session that has ended is used. */
export function gone(): SessionError {
  return new SessionError(
    "SESSION_GONE",
    "The session has ended: nothing was written, and the next transaction starts a new one",
  );
}
