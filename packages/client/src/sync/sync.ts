import { type ChangesEvent, type Push, SessionError } from "@catnap/shared";
import type { Pending } from "../replica/memory.ts";
import { inTurn } from "./in-turn.ts";
import { Intake } from "./intake.ts";
import { Pace } from "./pace.ts";
import type { SyncEvents, SyncParts } from "./sync-parts.ts";
import { failure, statusOf } from "./transport.ts";
import { Troubles } from "./troubles.ts";

/** For how long a server recognises the first requests of one browser. */
const claimMs = 60_000;

/** The way to the server: one push in flight, its answer taken in, and when to try again. */
export class Sync {
  /** A push is due although nothing changed: `setDirty()`. */
  forced = false;
  readonly pace: Pace;
  readonly intake: Intake;
  readonly troubles: Troubles = new Troubles();
  readonly #parts: SyncParts;
  readonly #events: SyncEvents;
  #flight: Promise<void> | undefined;
  /** The last seq of a closing push: the second event of one departure sends nothing. */
  #lastSent = 0;

  constructor(parts: SyncParts, events: SyncEvents) {
    this.#parts = parts;
    this.#events = events;
    this.pace = new Pace(parts, () => this.attempt());
    this.intake = new Intake(parts, events, this.troubles, this.pace);
  }

  get flying(): boolean {
    return !!this.#flight;
  }

  /** The next failure is the first again; what was closed is open. */
  refresh(): void {
    this.pace.open();
    this.#lastSent = 0;
  }

  /** One round trip per writer with ops: pushes and pulls. Whoever asks while one is under way shares it. */
  round(): Promise<void> {
    this.pace.begin();
    this.#flight ??= this.#run().finally(() => this.#events.pulse());
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

  /**
   * Makes rounds until all is decided that was written before, but for what this server cannot decide; each begins with `open`.
   * Says whether there was any.
   */
  async settle(open: () => void): Promise<boolean> {
    const { outbox } = this.#parts.replica;
    const last = outbox.clock;
    // A round that was under way already may have left without the latest ops.
    const owes = () => [...outbox.own.values()].some((op) => op.seq <= last && !outbox.isWaiting(op));
    const owed = owes();
    while (this.forced || owes()) {
      open();
      await this.round();
    }
    return owed;
  }

  /** Sends what the server has not acknowledged, once: synchronously, since the page may be gone in a moment. */
  sendLast(): void {
    const { replica, transport, epochs } = this.#parts;
    const last = [...replica.outbox.own.keys()].at(-1) ?? 0;
    this.#renew();
    if (last <= this.#lastSent || epochs.get().ends.length > 0) return;
    for (const writer of [...replica.writers].reverse()) {
      const ops = replica.outbox.opsOf(writer);
      const sent = ops.length > 0 && transport.sendLast(replica.push(writer, ops));
      // It may never be answered; the next awake finds out what became of it.
      if (sent) sent.answer.then((answer) => this.intake.take(sent.push, answer)).catch(() => undefined);
    }
    // Not before they are sent: the browser may end the script of a page that ends.
    this.#lastSent = last;
  }

  /** Takes in what the server tells by itself. */
  hear(asked: Push, event: ChangesEvent): void {
    // The stream alone may lack it: whether the cookie is gone, a push finds out.
    if (!event.ok && event.code === "NO_COOKIE") {
      this.troubles.warn(event);
      return this.catchUp();
    }
    try {
      const since = event.ok ? event.since : this.#parts.replica.rev;
      if (!this.intake.take({ ...asked, since }, event)) this.catchUp();
    } catch {
      // The session has ended, which the tab was told.
    }
  }

  close(): void {
    this.pace.close();
  }

  async #run(): Promise<void> {
    const { transport, epochs, replica } = this.#parts;
    const { writer } = replica;
    try {
      const doubted = await this.#begin();
      // First of all: the cookie still names a session that is to die, and a pull would bring its values back.
      for (const due of epochs.get().ends) {
        const age = (this.#parts.now() - Number(due.slice(1))) / 1000;
        await transport.invalidate(due.startsWith("*") ? { age } : { identifier: due });
        epochs.set({ ends: epochs.get().ends.filter((one) => one !== due) });
      }
      const { forced } = this;
      await this.#inTurn();
      replica.outbox.dropDoubted(doubted);
      if (forced) this.forced = false;
      this.pace.failures = 0;
      this.troubles.end();
      // What came meanwhile, or did not fit; and what the disk gave late.
      const { outbox } = replica;
      if (outbox.own.size + outbox.others.size > 0 && !this.pace.isSet) this.pace.later(outbox.isDue ? 0 : undefined);
    } catch (thrown) {
      const { error, retryMs, isProblem } = failure(thrown);
      if (isProblem) this.troubles.warn(error);
      // Nothing to try again, and the tab is another writer since: the session has ended. That is an answer, and no failure.
      if (retryMs !== null || writer === replica.writer) {
        if (!this.pace.closed) this.pace.failed(retryMs);
        // What was taken along: whoever has asked meanwhile has shared this round, and put off the next.
      } else if (replica.outbox.own.size > 0) this.pace.later(0);
      throw error;
    } finally {
      // In this very moment: a call of `round` before the promise has settled would join a round that is over, and cancel the next.
      this.#flight = undefined;
    }
  }

  /** Looks at the browser's epoch and at the disk. Gives the ops that are doubted by then. */
  async #begin(): Promise<Set<Pending>> {
    this.#events.before();
    await this.#parts.persister.load();
    this.troubles.begin();
    this.#renew();
    return new Set(this.#parts.replica.outbox.doubted);
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
    const begins = () => replica.identifier === null && replica.memory.pending > 0;
    let done = false;
    const exchange = async () => {
      this.#events.before();
      done = begins();
      if (done) await this.#exchangeAll();
    };
    if (begins()) await inTurn(locks, `${name}:first`, exchange);
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
    if (answer && !this.intake.take(push, answer)) return this.#exchange(writer, ops);
    // Without what has come since: it waits for the next round.
    const left = replica.outbox.opsOf(writer).filter(({ seq }) => seq <= (ops.at(-1)?.seq ?? 0));
    if (!answer) return replica.isOwn(push) ? this.#exchange(writer, left) : undefined;
    // Nor is there more to send where this server knows none of it.
    const next = left.find((op) => !replica.outbox.isWaiting(op));
    if (!next) return;
    if (left[0] === next && next.seq === push.ops[0]?.seq && replica.isOwn(push)) {
      throw new SessionError("CONFLICT", "The server took none. It is tried again by itself");
    }
    if (!replica.isMine(writer)) await this.#exchange(writer, left);
  }

  /** After an answer that the push is too large: the next one carries half; what goes into none is rejected. Throws any other error. */
  #shrink(push: Push, error: unknown): undefined {
    const { replica } = this.#parts;
    const { ops, writer } = push;
    const [op] = ops;
    if (statusOf(error) !== 413 || !op) throw error;
    replica.pushBytes = JSON.stringify(ops).length / 2;
    if (ops.length > 1 || !replica.isOwn(push)) return;
    const problem = { code: "LIMIT_EXCEEDED", message: "Too large (413): raise the body limit" } as const;
    this.troubles.warn(problem);
    this.intake.reject({ ...op, writer }, problem);
  }
}
