import {
  type Answer,
  after,
  type Cancel,
  type ChangesEvent,
  maxNotes,
  noteName,
  type Push,
  SessionError,
  type SyncFailure,
} from "@catnap/shared";
import type { Pending } from "../replica/memory.ts";
import { never } from "../replica/replica.ts";
import type { Problem, SyncEvents, SyncParts } from "./sync-parts.ts";
import { failure, statusOf } from "./transport.ts";

/** For how long a server recognises the first requests of one browser. */
const claimMs = 60_000;
/** How long a tab waits to hear what became of a sibling's changes; their page may have ended as it sent them. */
const wonderMs = 5_000;

/** Within how long a tab tries again after the first failure, and how far that doubles. */
const [firstMs, longestMs] = [1_000, 60_000];

/** The way to the server: one push in flight, its answer taken in, and when to try again. */
export class Sync {
  /** Failures since the last success. */
  failures = 0;
  /** The server has declared the session expired, and there is no other since. */
  expired = false;
  /** What keeps rounds from succeeding, until one does. */
  problem: Problem | undefined;
  /** A push is due although nothing changed: `setDirty()`. */
  forced = false;
  readonly #parts: SyncParts;
  readonly #events: SyncEvents;
  #flight: Promise<void> | undefined;
  #timer: Cancel | undefined;
  /** When writes postpone the next round no longer. */
  #dueAt: number = never;
  #wondering: Cancel | undefined;
  #closed = false;
  /** The last seq of a closing push: the second event of one departure sends nothing. */
  #lastSent = 0;
  /** This page load has begun a session: it begins no other for want of a cookie. */
  #anew = false;
  /** What the console has. */
  readonly #warned = new Set<string>();

  constructor(parts: SyncParts, events: SyncEvents) {
    this.#parts = parts;
    this.#events = events;
  }

  get flying(): boolean {
    return this.#flight !== undefined;
  }

  /** The next failure is the first again; what was closed is open. */
  refresh(): void {
    this.#closed = false;
    this.failures = this.#lastSent = 0;
  }

  /** One round trip per writer with ops: pushes and pulls. Whoever asks while one is under way shares it. */
  round(): Promise<void> {
    this.#cancel();
    this.#dueAt = never;
    this.#flight ??= this.#run().finally(() => {
      this.#flight = undefined;
      this.#events.pulse();
    });
    this.#events.pulse();
    return this.#flight;
  }

  /** A round that begins after this call. */
  async nextRound(): Promise<void> {
    await this.#flight?.catch(() => undefined);
    await this.round();
  }

  /** A round nobody waits for: the status tells what becomes of it. */
  attempt(): void {
    void this.round().catch(() => undefined);
  }

  /** A round nobody waits for, which begins after this call: the server's answer to one under way may be older than the news. */
  catchUp(): void {
    void this.nextRound().catch(() => undefined);
  }

  /** Makes a round after so long without another call. */
  later(ms: number): void {
    this.#cancel();
    if (!this.#closed) this.#timer = after(ms, () => this.attempt());
  }

  /** Like `later`, but at most `maxWaitMs` after the first call; and while the server is away the backoff decides. */
  idle(ms: number): void {
    if (this.failures > 0 && this.#timer !== undefined) return;
    const now = this.#parts.now();
    this.#dueAt = Math.min(this.#dueAt, now + this.#parts.maxWaitMs);
    this.later(Math.min(ms, this.#dueAt - now));
  }

  /** Asks in a while, unless nothing is pending any more by then. */
  wonder(): void {
    this.#wondering ??= after(wonderMs, () => {
      this.#wondering = undefined;
      if (this.#parts.replica.pending > 0) this.attempt();
    });
  }

  /** Sends what the server has not acknowledged, once: synchronously, since the page may be gone in a moment. */
  sendLast(): void {
    const { replica, transport, epochs } = this.#parts;
    const last = [...replica.outbox.own.keys()].at(-1) ?? 0;
    this.#renew();
    if (last <= this.#lastSent || epochs.get().ends.length > 0) return;
    this.#lastSent = last;
    for (const writer of [...replica.writers].reverse()) {
      const ops = replica.outbox.opsOf(writer);
      const sent = ops.length > 0 && transport.sendLast(replica.push(writer, ops));
      // It may never be answered; the next awake finds out what became of it.
      if (sent) sent.answer.then((answer) => this.#take(sent.push, answer)).catch(() => undefined);
    }
  }

  /** Takes in what the server tells by itself. */
  hear(asked: Push, event: ChangesEvent): void {
    // The stream alone may lack it: whether the cookie is gone, a push finds out.
    if (!event.ok && event.code === "NO_COOKIE") {
      this.#warn(event);
      return this.catchUp();
    }
    try {
      const since = event.ok ? event.since : this.#parts.replica.rev;
      if (!this.#take({ ...asked, since }, event)) this.catchUp();
    } catch {
      // The session has ended, which the tab was told.
    }
  }

  close(): void {
    this.#closed = true;
    this.#wondering?.();
    this.#cancel();
  }

  #cancel(): void {
    this.#timer?.();
    this.#timer = undefined;
  }

  async #run(): Promise<void> {
    const { transport, epochs, replica, persister } = this.#parts;
    this.#events.before();
    await persister.load();
    const doubted = new Set(replica.doubted);
    const { problem } = this;
    this.#renew();
    try {
      // First of all: the cookie still names a session that is to die, and a pull would bring its values back.
      for (const due of epochs.get().ends) {
        const age = (this.#parts.now() - Number(due.slice(1))) / 1000;
        await transport.invalidate(due.startsWith("*") ? { age } : { identifier: due });
        epochs.set({ ends: epochs.get().ends.filter((one) => one !== due) });
      }
      const { forced } = this;
      await this.#inTurn();
      replica.dropDoubted(doubted);
      if (forced) this.forced = false;
      this.failures = 0;
      // One of this very round stays until the next.
      if (this.problem === problem) this.problem = undefined;
      // What came meanwhile, or did not fit; and what the disk gave late.
      const { own, others } = replica.outbox;
      if (own.size + others.size > 0 && this.#timer === undefined) this.later(0);
    } catch (thrown) {
      const { error, retryMs, isProblem } = failure(thrown);
      if (isProblem) this.#warn(error);
      if (error.code === "SESSION_EXPIRED" || this.#closed) throw error;
      this.failures++;
      // Full jitter, so that a server that comes back does not meet everybody at once.
      const backoff = this.#parts.random() * Math.min(longestMs, firstMs * 2 ** (this.failures - 1));
      if (retryMs !== null) this.later(Math.max(retryMs, backoff));
      throw error;
    }
  }

  /** The server knows first requests by their nonce for a minute. Later they could only revive what has ended since. */
  #renew(): void {
    const { replica, now } = this.#parts;
    if (replica.identifier === null && now() - replica.begunAt > claimMs) this.#events.spent();
  }

  /**
   * One tab of the browser begins its session: two that do so in one moment, of which neither has heard of the other, would
   * begin two.
   */
  async #inTurn(): Promise<void> {
    const { replica, locks, name } = this.#parts;
    const begins = () => replica.identifier === null && replica.pending > 0;
    let done = false;
    const exchange = async () => {
      this.#events.before();
      done = begins();
      if (done) await this.#exchangeAll();
    };
    // A frame of another site may be denied locks: then it goes without.
    const denied = (error: unknown) => {
      if (done) throw error;
    };
    if (begins()) await locks?.request(`catnap:${name}:first`, exchange).catch(denied);
    if (!done) await this.#exchangeAll();
  }

  /**
   * Dead tabs' ops are older than ours. Those of a living sibling do no harm twice; that it lives is never certain. What it
   * writes meanwhile, and an awake finds on disk, waits for the next round: or ours would wait for as long as it writes.
   */
  async #exchangeAll(): Promise<void> {
    const { outbox } = this.#parts.replica;
    for (const writer of [...outbox.others.keys()]) {
      if (outbox.others.has(writer)) await this.#exchange(writer, outbox.opsOf(writer));
    }
    await this.#exchangeOwn();
  }

  /** Anew where the tab goes on in another epoch meanwhile: then nothing was taken in. */
  async #exchangeOwn(): Promise<void> {
    const { replica } = this.#parts;
    const { outbox, epoch } = replica;
    let asked = false;
    for (const writer of replica.writers) {
      const ops = outbox.opsOf(writer);
      if (ops.length === 0 && (asked || writer !== replica.writer)) continue;
      asked = true;
      await this.#exchange(writer, ops);
    }
    if (replica.epoch !== epoch) await this.#exchangeOwn();
  }

  async #exchange(writer: string, ops: readonly Pending[]): Promise<void> {
    const { replica, transport } = this.#parts;
    const push = replica.push(writer, ops);
    const answer = await transport.send(push).catch((error: unknown) => this.#shrink(push, error));
    // Meanwhile the tab has put away what the answer builds on.
    if (answer && !this.#take(push, answer)) return this.#exchange(writer, ops);
    // Without what has come since: it waits for the next round.
    const left = replica.outbox.opsOf(writer).filter(({ seq }) => seq <= (ops.at(-1)?.seq ?? 0));
    if (!answer) return replica.isOwn(push) ? this.#exchange(writer, left) : undefined;
    const [next] = left;
    if (!next) return;
    if (next.seq === push.ops[0]?.seq && replica.isOwn(push)) {
      throw new SessionError("CONFLICT", "The server took none. Changes are kept and sent later");
    }
    if (!replica.isMine(writer)) await this.#exchange(writer, left);
  }

  /** After an answer that the push is too large: the next one carries half; what goes into none is rejected. Throws any other error. */
  #shrink(push: Push, error: unknown): undefined {
    const { replica, persister, siblings } = this.#parts;
    const { ops, writer } = push;
    const [op] = ops;
    if (statusOf(error) !== 413 || !op) throw error;
    replica.pushBytes = JSON.stringify(ops).length / 2;
    if (ops.length > 1 || !replica.isOwn(push)) return;
    siblings.tell({ kind: "synced", delta: replica.refuse(push) });
    persister.save();
    const { key, seq, value: mine } = op;
    const message = "This size is refused (413): raise the body limit";
    const problem = { code: "LIMIT_EXCEEDED", message } as const;
    this.#warn(problem);
    this.#events.notes([{ ...problem, key, writer, seq, mine, what: "rejected" }]);
  }

  #warn({ code, message }: Problem): void {
    if (this.problem?.message !== message) this.problem = { code, message };
    this.say(message);
  }

  /** Tells the console, once. */
  say(message: string): void {
    if (!this.#warned.has(message)) console.warn(`catnap: ${message}`);
    this.#warned.add(message);
  }

  /**
   * Takes an answer in. `false`: it tells the difference to a state that the tab does not have any more. Throws when it
   * ends the session, or asks for what this client cannot.
   */
  #take(push: Push, answer: Answer): boolean {
    const { replica, persister, siblings, epochs, now } = this.#parts;
    if (this.#closed) return true;
    this.#events.before();
    // The tab has moved on to another session since: nothing of this one may be shown.
    if (!replica.isOwn(push)) {
      this.#abandon(push, answer);
      return true;
    }
    if (!answer.ok) {
      const { code, message } = answer;
      // The server soon forgets what has expired.
      const isOver = replica.facts.expiresAt <= now();
      if (code === "NO_COOKIE") {
        if (!isOver && !replica.kept) {
          this.#warn(answer);
          if (this.#anew) throw new SessionError(code, message);
          this.#anew = true;
        }
        this.#refused(isOver ? "SESSION_EXPIRED" : "SESSION_GONE", message);
      }
      if (push.nonce !== undefined && (code === "SESSION_GONE" || code === "SESSION_EXPIRED")) {
        this.#events.spent();
        throw new SessionError("CONFLICT", "The session has ended. Changes are kept and sent later");
      }
      this.#refused(code === "SESSION_GONE" && isOver ? "SESSION_EXPIRED" : code, message);
    }
    const { identifier } = answer;
    // The server has yet to hear that it is to end.
    if (identifier !== null && epochs.get().ends.includes(identifier)) return true;
    if (identifier !== null && push.identifier === null) {
      replica.adopt(identifier);
      this.#anew = true;
    } else if (identifier !== push.identifier) {
      this.#refused("SESSION_REPLACED", "The browser has another session now");
    }
    if (identifier !== null) {
      this.expired = false;
      this.#events.met();
    }
    // What has not just made the session was let in by the cookie.
    replica.kept ||= push.identifier !== null || push.upTo === 0 || answer.acked < push.upTo;
    replica.heard = answer.notes.slice(-maxNotes).map(noteName);
    const sent = new Map(push.ops.map((op) => [op.seq, op.value]));
    const told = answer.notes.map(({ was, ...note }) => ({
      ...note,
      mine: was === undefined ? sent.get(note.seq) : was,
    }));
    const delta = replica.delta(push, answer);
    const fits = !replica.lacks(delta);
    if (fits) {
      const quiet = delta.rev === replica.rev && !delta.reset && delta.entries.length === 0 && push.ops.length === 0;
      const anew = replica.apply(delta, push);
      persister.save(quiet ? "changes" : anew ? "reset" : "delta");
      if (!quiet) siblings.tell({ kind: "synced", delta });
    }
    // Told once, whatever becomes of the rest.
    this.#events.notes(told);
    this.#events.pulse();
    return fits;
  }

  /** A first push that was answered after the session had been ended here: what it has made is to end too. */
  #abandon({ nonce, upTo }: Push, answer: Answer): void {
    const { epochs } = this.#parts;
    const { past, ends } = epochs.get();
    if (nonce === undefined || !past.includes(nonce) || !answer.ok || answer.identifier === null) return;
    // What brought nothing in has only met the session that the cookie named, which may be a new one by now.
    if (upTo === 0 || answer.acked < upTo) return;
    epochs.set({ ends: [...ends, answer.identifier] });
    this.later(0);
  }

  #refused(code: SyncFailure["code"], message: string): never {
    if (code === "SESSION_EXPIRED" || code === "SESSION_GONE" || code === "SESSION_REPLACED") {
      this.expired = code === "SESSION_EXPIRED";
      this.#events.ended(code);
      // The browser may hold another session by now; after an expiry, the next awake or write finds out, or what was taken along.
      if (!this.expired || this.#parts.replica.pending > 0) this.later(0);
    }
    throw new SessionError(code, message);
  }
}
