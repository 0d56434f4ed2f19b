import { setTimeout as pause } from "node:timers/promises";
import { SessionError } from "@catnap/shared";
import type { Exchange } from "../exchange/exchange.ts";
import { describeDevice } from "../identity/device.ts";
import { isPersistent } from "../identity/persistence.ts";
import type { Settings } from "../settings.ts";
import { committed } from "../stores/entries.ts";
import type { Commit, SessionRecord } from "../stores/store.ts";
import { refusal } from "../sync/answer.ts";
import { wasEnded } from "../upkeep/ending.ts";
import type { Logins } from "../upkeep/logins.ts";
import { contended, type Turn, type Turns } from "../upkeep/turns.ts";
import { type Circumstances, planCommit } from "./commit-plan.ts";
import type { Draft, Replacement } from "./draft.ts";
import { replaceSession } from "./replace-session.ts";
import type { SessionHold } from "./session-hold.ts";

/** For so long a commit is tried again that other writers have overtaken, in milliseconds. */
const patienceMs = 10_000;
/** The longest pause between two tries, in milliseconds. */
const longestPauseMs = 100;

/** What the writers of one server have in common. */
export interface Queues {
  readonly logins: Logins;
  /** Whose turn it is to commit to a session that several requests want to change at once. */
  readonly turns: Turns<SessionRecord>;
}

/** The way of a request's drafts into the store: each becomes a commit, which is tried until it is in. */
export class DraftWriter {
  readonly #settings: Settings;
  readonly #queues: Queues;
  readonly #exchange: Exchange;
  readonly #hold: SessionHold;
  #admitted = false;
  /** The session was not as the store remembered it. */
  #overtaken = false;

  constructor(settings: Settings, queues: Queues, exchange: Exchange, hold: SessionHold) {
    this.#settings = settings;
    this.#queues = queues;
    this.#exchange = exchange;
    this.#hold = hold;
  }

  /** Writes a draft; one that logs in, when its subject may have one more session. */
  commit(draft: Draft): Promise<void> {
    const { record, bearer } = this.#hold;
    const { wishes } = draft;
    const { cookie } = this.#settings;
    const { persistent = isPersistent(cookie, record?.entries) } = wishes;
    // A cookie is set with a new token alone.
    const differs = persistent !== isPersistent(cookie, record?.entries);
    if (record && (differs || bearer.renews(record))) wishes.rotate ??= "renewal";
    if (bearer.confirms()) wishes.confirm = true;
    const write = (deadline: number) => this.#write(draft, deadline);
    if (record && wishes.replace && wishes.subject !== undefined) {
      const { replace, subject } = wishes;
      const swap = (deadline: number) => this.#replace(draft, replace, deadline);
      return this.#queues.logins.admit(subject, () => this.#hold.record?.identifier ?? null, swap);
    }
    if (wishes.subject === undefined || wishes.subject === record?.subject)
      return write(performance.now() + patienceMs);
    return this.#queues.logins.admit(wishes.subject, () => this.#hold.record?.identifier ?? null, write);
  }

  /**
   * Writes a push on what the store remembers of the session, in one round trip. Where the session is not as it was, gives what the
   * store has of it, by which the request has to be judged anew; `null`: there is more to do, another commit is under way, or there
   * is nothing to write, and the record has to be read first.
   */
  async writeRecalled(draft: Draft): Promise<"in" | SessionRecord | null> {
    const hold = this.#hold;
    const { record } = hold;
    const { recalled } = hold.bearer;
    hold.bearer.recalled = undefined;
    const { push } = draft.wishes;
    if (!record || !recalled || !push) return null;
    if (hold.due() || hold.refuse(push.push) || this.#queues.turns.isTaken(record.identifier)) return null;
    const { commit, pushed } = planCommit(this.#settings, draft, this.#circumstances());
    const over = commit && this.#queues.turns.begin(record.identifier);
    if (!over) return null;
    const result = await this.#settings.store.write(record.identifier, { ...commit, on: recalled }).finally(over);
    if (!result.ok) {
      this.#overtaken = true;
      return result.record;
    }
    const after = committed(record.identifier, record, commit, result.rev);
    const { transactions = recalled.transactions + commit.transactions } = result;
    // What the process has counted and not written yet comes on top.
    hold.record = { ...after, transactions: transactions + record.transactions - recalled.transactions };
    hold.counted = true;
    await hold.answer(draft, pushed, false);
    return "in";
  }

  /**
   * Writes a draft, once more on what another writer has left as often as one comes between. Requests of this process that
   * want the same session take turns as soon as one was refused, or would be, since another is under way; each goes on from what
   * the one before has left. The first goes without: a commit whose answer is late does not hold up all others.
   */
  async #write(draft: Draft, deadline: number): Promise<void> {
    const hold = this.#hold;
    const { turns } = this.#queues;
    let turn: Turn<SessionRecord> | undefined;
    let leaves: SessionRecord | undefined;
    // Of several that depend on what the session holds, the store may refuse all but one: the others take turns (`null`).
    const over = draft.reads ? turns.begin(this.#identifierFor(draft)) : undefined;
    try {
      for (let refusals = this.#overtaken ? 1 : 0; ; refusals++) {
        const identifier = this.#identifierFor(draft);
        if (!turn && (refusals > 0 || over === null || turns.isTaken(identifier))) {
          turn = await turns.take(identifier, deadline);
          if (hold.record && turn.left && turn.left.rev > hold.record.rev) hold.record = turn.left;
        } else if (refusals > 0) await pause(Math.random() * Math.min(longestPauseMs, 2 ** refusals));
        if (performance.now() > deadline) throw contended();
        const plan = planCommit(this.#settings, draft, this.#circumstances());
        const outcome = plan.commit ? await this.#try(draft, identifier, plan.commit, plan.issues) : await hold.touch();
        if (outcome === "refused") continue;
        if (outcome !== "overtaken") leaves = hold.record ?? undefined;
        await hold.answer(draft, plan.pushed, outcome === "overtaken");
        return;
      }
    } finally {
      over?.();
      turn?.end(leaves);
    }
  }

  /** Writes a login to a new session. Those of this process that want to commit to the old one wait. */
  async #replace(draft: Draft, replacement: Replacement, deadline: number): Promise<void> {
    const hold = this.#hold;
    const turn = await this.#queues.turns.take(this.#identifierFor(draft), deadline);
    try {
      if (hold.record && turn.left && turn.left.rev > hold.record.rev) hold.record = turn.left;
      const circumstances = { ...this.#circumstances(), accessedAt: hold.startedAt };
      const issue = async (record: SessionRecord) => {
        if (!hold.bearer.issue(record)) await this.#undelivered(record.identifier, true);
      };
      await replaceSession({ settings: this.#settings, hold, circumstances, issue }, draft, replacement, deadline);
    } finally {
      turn.end();
    }
  }

  #identifierFor(draft: Draft): string {
    const nonce = draft.wishes.push?.push.nonce;
    const { record, identifier } = this.#hold;
    const known = record?.identifier ?? identifier;
    return known ?? (nonce ? this.#settings.tokens.identifierOf(nonce) : this.#hold.identify());
  }

  /** `overtaken`: it is in, and others have committed other keys since this request read. */
  async #try(
    draft: Draft,
    identifier: string,
    commit: Commit,
    issues: boolean,
  ): Promise<"refused" | "overtaken" | "in"> {
    const { store, tokens } = this.#settings;
    const hold = this.#hold;
    const nonce = draft.wishes.push?.push.nonce;
    if (issues) hold.bearer.assertIssue();
    if (commit.create) await this.#assertAdmitted();
    const result = await store.write(identifier, commit);
    if (!result.ok) {
      hold.meet(result.record, commit.create !== undefined, nonce);
      return "refused";
    }
    if (commit.create && nonce !== undefined && (await wasEnded(this.#settings, identifier))) {
      await store.delete(identifier);
      hold.identifier = tokens.mintIdentifier();
      draft.answerPush({ ...refusal("SESSION_GONE"), identifier });
      return "refused";
    }
    const overtaken = result.rev > (hold.record?.rev ?? 0) + 1;
    hold.record = committed(identifier, hold.record, commit, result.rev);
    hold.counted = true;
    if (issues && !hold.bearer.issue(hold.record)) await this.#undelivered(identifier, commit.create !== undefined);
    return overtaken ? "overtaken" : "in";
  }

  /** The headers have left while the store wrote. */
  async #undelivered(identifier: string, created: boolean): Promise<never> {
    // A session that nobody has a token of is none.
    if (created) await this.#settings.store.delete(identifier);
    throw new SessionError(
      "HEADERS_SENT",
      "The response's headers have left without the session's cookie: await the session's work before you answer, and do it where your framework can set a cookie",
      this.#exchange.failure === undefined ? {} : { cause: this.#exchange.failure },
    );
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
    const { record, bearer, startedAt, idle, counted } = this.#hold;
    return {
      record,
      hash: bearer.hash,
      device: () => describeDevice(this.#exchange.header("user-agent")),
      secret: () => bearer.secret(),
      startedAt,
      accessedAt: idle && record ? record.accessedAt : startedAt,
      now: this.#hold.now(),
      transactions: record && counted ? 0 : 1,
    };
  }
}
