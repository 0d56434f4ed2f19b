import {
  type AnyDefinition,
  after,
  type BaseHome,
  type Cancel,
  type Key,
  SessionError,
  type SessionSnapshot,
  type SessionState,
} from "@catnap/shared";
import { TabCore } from "./tab-core.ts";
import type { TabParts } from "./tab-parts.ts";

/** The browser's home of a session: the tab's memory, its outbox, and the way to the server. */
export class Tab extends TabCore implements BaseHome {
  readonly side = "browser";
  readonly definition: AnyDefinition;
  readonly decoded: ReadonlyMap<string, unknown>;
  /** Absent: the tab is closed. */
  #watched: { readonly end: AbortController | undefined } | undefined;
  /** Ends the moment in which the page goes. */
  #leaving: Cancel | undefined;

  constructor(parts: TabParts) {
    super(parts);
    this.definition = parts.definition;
    this.decoded = parts.replica.memory.decoded;
  }

  state(): SessionState {
    return { identifier: this.replica.identifier, ...this.replica.facts };
  }

  now(): number {
    return this.parts.now();
  }

  read(key: Key): unknown {
    return this.replica.memory.read(key);
  }

  encoded({ name }: Key): string | null {
    return this.replica.memory.get(name);
  }

  names(): readonly string[] {
    return this.replica.memory.names();
  }

  write(key: Key, encoded: string | null): void {
    const { memory, outbox } = this.replica;
    const before = memory.get(key.name);
    this.#beforeWrite();
    // What was only put away meanwhile is to be deleted all the same.
    if (before === encoded && memory.get(key.name) === encoded) return;
    outbox.write(key, encoded, this.replica.writerOf(key));
    if (this.persister.soon(key.name, !!key.merge && this.parts.visible())) {
      if (this.#leaving) queueMicrotask(() => this.depart(false));
      else this.sync.pace.idle(this.parts.idleMs);
    }
    memory.settle();
    this.pulse();
  }

  update(key: Key, change: (current: unknown) => unknown): unknown {
    this.#beforeWrite();
    const present = this.read(key);
    const next = change(present === undefined ? key.fallback() : present);
    this.write(key, key.encode(next, this.encoded(key)));
    return this.read(key);
  }

  isDirty(): boolean {
    return this.sync.forced || this.replica.memory.pending > 0;
  }

  setDirty(dirty: boolean): void {
    this.sync.forced = dirty;
    if (dirty) this.sync.pace.idle(this.parts.idleMs);
  }

  /** Shows what the disk holds, then asks the server for news. Resolves also when the server cannot be reached: the status tells. */
  async awake(): Promise<void> {
    this.#comeBack();
    this.isAwake = true;
    this.#leaving?.();
    this.#leaving = undefined;
    this.sync.refresh();
    this.siblings.open();
    this.persister.refresh();
    await this.persister.load();
    await this.sync.round().catch(() => undefined);
  }

  /**
   * Takes the state that the server rendered, unless it is of a session that this browser has ended. Of two sessions the
   * server knows which one the browser has now: it is asked.
   */
  hydrate(snapshot: SessionSnapshot): void {
    const { identifier } = snapshot;
    if (identifier !== null && this.parts.epochs.get().past.includes(identifier)) return;
    const isOther = identifier !== this.replica.identifier;
    this.replica.hydrate(snapshot);
    if (isOther && this.isAwake) {
      this.#comeBack();
      this.sync.catchUp();
    }
  }

  /** Sends what is pending home. Resolves when the server has acknowledged it, rejects when it did not. */
  async sleep(): Promise<void> {
    const { writer } = this.replica;
    const owed = await this.sync.settle(() => this.open());
    // Another tab has ended the session, and this one has heard of it.
    if (owed && writer !== this.replica.writer) {
      throw new SessionError("SESSION_GONE", "The session has ended");
    }
  }

  save(): Promise<void> {
    return this.sleep();
  }

  /** Wipes at once, here and in all tabs, then tells the server; rejects when that has to wait, and goes on trying. */
  async invalidate(): Promise<void> {
    this.#comeBack();
    // A tab that never awoke tells its siblings, too.
    this.siblings.open();
    this.life.end();
    await this.sync.nextRound();
  }

  /** The page goes: synchronous only. At most one small put, and one `fetch` of what the server has not acknowledged. */
  depart(leaving: boolean): void {
    this.life.follow();
    this.isAwake = false;
    // Until the app's handlers of all its events have run, whose writes have no other chance; a page that is just hidden, and
    // goes on writing, sends as ever after that.
    this.#leaving ??= after(1_000, () => {
      this.#leaving = undefined;
    });
    this.persister.flush();
    // Before localStorage is written: in that moment Firefox may end the script of a page that closes.
    this.sync.sendLast();
    this.persister.stash();
    // A page in the back/forward cache is thrown out of it by the first message to its channel.
    if (leaving) this.siblings.close();
    this.pulse();
  }

  /** Begins, also anew after `close`, which whatever the app does with the session takes back. */
  open(): void {
    if (this.#watched) return;
    this.#watched = { end: this.parts.watch() };
    this.persister.forget();
    this.sync.refresh();
  }

  close(): void {
    this.isAwake = false;
    this.#watched?.end?.abort();
    this.#watched = undefined;
    this.live?.follow(null);
    this.persister.close();
    this.sync.close();
    this.siblings.close();
    this.parts.database.close();
  }

  /** Nothing of a session that has ended may live on in what is written. Once in a task: nothing can end it within one. */
  #beforeWrite(): void {
    if (!this.isAwake) this.#comeBack();
    else if (!this.persister.isDue) this.life.follow();
  }

  /** Called when the page may be visible again. Hides values whose session has ended, or has expired, in the meantime. */
  #comeBack(): void {
    this.open();
    this.life.follow();
    this.replica.hideExpired();
  }
}
