import { type AnyDefinition, checksum, type Push, protocol, type SessionSnapshot } from "@catnap/shared";
import { type Delta, type Facts, nothing, toFacts, type Undecided, unknownFacts } from "./delta.ts";
import { Memory, type Pending } from "./memory.ts";
import { Outbox } from "./outbox.ts";
import { Owner } from "./owner.ts";
import { packed } from "./pack.ts";
import type { CacheRow, Epoch, OpRow, Rows } from "./rows.ts";

/** The time of what does not come. */
export const never: number = Number.POSITIVE_INFINITY;

/** What the tab knows of one session, without any I/O: the server's entries, the ops on top, and whose they are. */
export class Replica extends Owner {
  readonly memory: Memory;
  readonly outbox: Outbox;
  rev = 0;
  facts: Facts;
  /** Names of the notes that the last answer told of: the server keeps them until a push says so. */
  heard: readonly string[] = [];
  /** Whether the browser has ever sent the session's cookie along: then it keeps cookies. */
  kept = false;
  /** When the first push with ops has left under the epoch at hand, which may have begun a session since. */
  begunAt: number = never;
  /** Who has told of changes of its own: other tabs, which were there at least then. */
  readonly living: Set<string> = new Set();
  /** The server may know this tab's writers by the profile at hand. */
  sent = false;
  /**
   * The time of the session seems to be over. Its values are put away, but for those that the browser may adopt; not its
   * revision: nothing older may be taken for news.
   */
  isUnconfirmed = false;
  /** How many bytes of ops a push carries: less, once the server has refused one as too large. */
  pushBytes = 262_144;
  /** Pushes that asked for everything since then. */
  readonly #whole = new WeakSet<Push>();
  /** The writer's highest acknowledged seq. */
  #acked = 0;
  /** How far each writer's ops are part of the entries, as the server told last. */
  #decided: Delta["decided"] = {};
  #undecided: Undecided;
  readonly definition: AnyDefinition;
  readonly #now: () => number;

  constructor(definition: AnyDefinition, epoch: Epoch, id: (bytes: number) => string, now: () => number) {
    super(epoch, id);
    this.definition = definition;
    this.#now = now;
    this.memory = new Memory(definition);
    this.outbox = new Outbox(this.memory, now);
    this.facts = unknownFacts(this.#now());
  }

  /** The revision that this tab can be told the difference to. */
  get since(): number {
    return this.isUnconfirmed ? 0 : this.rev;
  }

  /** Goes on under this epoch with all that it has, as the browser does. */
  join(epoch: Epoch): void {
    const { identifier } = epoch;
    this.enter(epoch);
    this.#rebind();
    if (this.identifier === null && identifier !== null) this.adopt(identifier);
  }

  /** Goes on as a guest, in an epoch of its own. */
  move(epoch: string): void {
    this.epoch = epoch;
    this.#rebind();
  }

  /** What goes home from here on is of another epoch than what has left: all rows are written anew. */
  #rebind(): void {
    this.begunAt = never;
    this.outbox.rebind();
  }

  /** Takes the state that the server rendered into the page, unless the tab knows better. */
  hydrate({ identifier, rev, facts, entries, decided, undecided }: SessionSnapshot): void {
    // Nothing has come of what the tab knows by itself: the page was rendered later.
    if (identifier !== this.identifier && this.rev === 0 && !this.sent) {
      this.epoch = this.id(32);
      this.identifier = identifier;
    }
    if (identifier === null || identifier !== this.identifier || rev <= this.rev) return;
    // One that was not made for this very page was opened by its cookie.
    this.kept = (facts?.transactions ?? 0) > 1;
    const rendered = { rev, entries: Object.entries(entries), decided, undecided };
    this.apply({ ...nothing, ...rendered, reset: true, facts: facts && toFacts(facts, this.#now()) });
  }

  /** Takes in what the disk holds: the cache unless the tab is ahead of it, and the ops of other page loads. */
  merge({ cache, ops }: Pick<Rows, "cache" | "ops">, before: ReadonlySet<Pending>): void {
    const { memory, outbox } = this;
    const own = cache?.identifier === this.identifier ? cache : undefined;
    this.kept ||= !!own?.kept;
    // One of which something is missing counts as the oldest.
    const newer = own && (own.rev > this.rev || (own.rev === this.rev && this.since === 0));
    // Ops whose effect is in what is shown, though their rows are still there.
    if (own && (newer || own.rev > 0)) this.#decide(own.decided, own.undecided);
    outbox.adopt(ops);
    // Known before, and not on disk: on their way there, or decided while this tab did not listen.
    for (const op of memory.all()) if (!this.isMine(op.writer) && before.has(op)) outbox.doubted.add(op);
    if (newer) this.#take({ ...nothing, ...own, reset: true }, true);
    if (newer) memory.knownSum = own.sum;
    this.hideExpired();
    memory.settle(true);
  }

  /** Takes over what pages have left, where the disk cannot tell what else there is. */
  find(rows: readonly OpRow[]): void {
    this.outbox.adopt(rows);
    this.memory.settle();
  }

  /** The record of the snapshot, without the definition's fingerprint. */
  cache(): Omit<CacheRow, "fingerprint"> {
    const { identifier, rev, facts, kept, memory } = this;
    return {
      identifier,
      kept,
      rev,
      facts,
      decided: this.#decided,
      undecided: this.#undecided,
      entries: [...memory.base],
      sum: memory.sum,
    };
  }

  /** The push of a writer's ops, as many of the oldest as one may carry. Freezes them. */
  push(writer: string, pending: readonly Pending[]): Push {
    const ops = packed(pending, this.pushBytes);
    this.outbox.freeze(pending.slice(0, ops.length));
    if (ops.length > 0) {
      this.sent = true;
      this.begunAt = Math.min(this.begunAt, this.#now());
    }
    const push: Push = {
      protocol,
      identifier: this.identifier,
      profile: this.profile,
      writer,
      ops,
      upTo: ops.at(-1)?.seq ?? 0,
      since: this.since,
      acked: writer === this.writer ? this.#acked : 0,
      ...(ops.length === 0 && this.since > 0 && { checksum: checksum(this.definition, this.memory.sum) }),
      ...(this.heard.length > 0 && { heard: this.heard }),
      ...(this.identifier === null && { nonce: this.epoch }),
    };
    if (this.isUnconfirmed) this.#whole.add(push);
    return push;
  }

  /** Whether a delta is the difference to a state that this tab does not have: it is behind, or has put it away. */
  lacks({ since, reset }: Delta): boolean {
    return since > this.since && !reset;
  }

  /**
   * Takes a delta in, in one step: entries, acknowledged ops, then each subscriber once. One older than what is known is
   * ignored; but not the answer to a push that asked for everything, since the values were put away: a server that has
   * gone back in time knows no more. Says whether what was known before is gone.
   */
  apply(delta: Delta, asked?: Push): boolean {
    const anew = delta.reset || (this.isUnconfirmed && asked !== undefined && this.#whole.has(asked));
    // What a page of another version has left in the cache, and the server does not tell, is not there.
    if (asked?.since === 0 && this.rev === 0) this.memory.clearBase();
    this.#take(delta, anew);
    this.memory.settle(true);
    return anew;
  }

  #take(delta: Delta, anew: boolean): void {
    // What was decided by an older revision is part of every newer one.
    this.#decide({ [delta.writer]: delta.acked, ...delta.decided }, delta.undecided);
    if (delta.rev >= this.rev || anew) this.#advance(delta, anew);
  }

  /** Drops an op that no request can carry, or that no server knows, for good; later ones of its writer pass over it. */
  refuse(op: Pending): Delta {
    const { writer } = op;
    const [acked, left] = this.outbox.without(op);
    const delta = { ...nothing, rev: -1, writer, acked, undecided: { [writer]: left } };
    this.apply(delta);
    return delta;
  }

  #decide(decided: Delta["decided"], undecided: Undecided): void {
    for (const [writer, seq] of Object.entries(decided)) this.outbox.acknowledge(writer, seq, undecided?.[writer]);
  }

  #advance(delta: Delta, anew: boolean): void {
    if (anew) this.memory.clearBase();
    for (const [name, entry] of delta.entries) this.memory.setBase(name, entry);
    // A server that went back in time knows less than we were told: then that is what it knows.
    if (delta.writer === this.writer) this.#acked = anew ? delta.acked : Math.max(this.#acked, delta.acked);
    this.rev = delta.rev;
    this.isUnconfirmed = false;
    if (anew || delta.writer !== "") {
      this.#decided = delta.decided;
      this.#undecided = delta.undecided;
    }
    this.facts = delta.facts ?? this.facts;
  }

  /** From no session to one: ops made without belong to it from here on, and their rows are written anew. */
  adopt(identifier: string): void {
    this.identifier = identifier;
    this.isUnconfirmed = this.kept = false;
    this.rev = 0;
    // Those at hand are of none, or of one that has expired.
    this.facts = unknownFacts(this.#now());
    this.outbox.rebind();
  }

  /** Shows nothing of a session whose time seems to be over, but what this browser has not sent, until the server has been asked. */
  hideExpired(): void {
    if (this.identifier === null || this.facts.expiresAt > this.#now()) return;
    this.isUnconfirmed = true;
    this.memory.clearBase((name) => !this.memory.key(name)?.adopt);
    this.memory.settle();
  }

  /**
   * Forgets the session and becomes another writer, in this epoch. The ops are gone from memory, not from disk. What is taken
   * along from the session before stays.
   */
  reset(epoch: Epoch, expiresAt: number = never, heirlooms: readonly Pending[] = []): void {
    this.enter(epoch);
    this.identifier = epoch.identifier;
    this.begunAt = never;
    this.isUnconfirmed = this.kept = this.sent = false;
    this.become();
    this.#acked = 0;
    this.rev = 0;
    this.#decided = {};
    this.#undecided = undefined;
    this.facts = { ...unknownFacts(this.#now()), expiresAt };
    this.heard = [];
    this.memory.clearBase();
    this.outbox.clear();
    this.heirs = heirlooms.map(({ writer }) => writer);
    for (const op of heirlooms) this.outbox.add(op);
    this.memory.settle();
  }
}
