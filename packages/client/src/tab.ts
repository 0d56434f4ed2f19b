import {
  type AnyDefinition,
  after,
  type BaseHome,
  type Key,
  noteName,
  SessionError,
  type SessionSnapshot,
  type SessionState,
} from "@catnap/shared";
import { Life } from "./life.ts";
import type { Told } from "./replica/delta.ts";
import type { Replica } from "./replica/replica.ts";
import { Persister } from "./storage/persister.ts";
import { Live } from "./sync/live.ts";
import { Siblings } from "./sync/siblings.ts";
import { Sync } from "./sync/sync.ts";
import type { Status, TabParts } from "./tab-parts.ts";

/** The browser's home of a session: the tab's memory, its outbox, and the way to the server. */
export class Tab implements BaseHome {
  readonly side = "browser";
  readonly definition: AnyDefinition;
  readonly decoded: ReadonlyMap<string, unknown>;
  readonly #parts: TabParts;
  readonly #replica: Replica;
  readonly #persister: Persister;
  readonly #siblings: Siblings;
  readonly #sync: Sync;
  readonly #life: Life;
  readonly #live?: Live;
  #status: Status;
  /** Absent: the tab is closed. */
  #watched: { readonly end: AbortController | undefined } | undefined;
  #awake = false;
  /** The page ends in this moment. */
  #leaving = false;

  constructor(parts: TabParts) {
    const { replica, database } = parts;
    this.#parts = parts;
    this.#replica = replica;
    this.definition = parts.definition;
    this.decoded = replica.memory.decoded;
    this.#status = { state: "asleep", pending: 0, storage: database.storage };
    this.#life = new Life(parts, {
      joined: (met) => {
        this.#siblings.greet();
        if (met) this.#persister.readAgain();
        this.pulse();
      },
      left: () => {
        // What is taken along is on its way to the disk before what it was leaves it.
        if (replica.pending > 0) this.#persister.flush();
        this.#persister.sweep();
        this.#sync.forced = false;
        this.#sync.expired = parts.epochs.get().ended === "SESSION_EXPIRED";
        this.#siblings.greet();
        this.pulse();
      },
    });
    const pulse = () => this.pulse();
    const notes = (told: readonly Told[]) => this.#tell(told);
    this.#siblings = new Siblings(replica, parts.openChannel, {
      differs: () => this.look(),
      behind: () => this.#sync.catchUp(),
      changed: () => {
        this.#persister.save();
        if (this.#awake && replica.pending > 0) this.#sync.wonder();
        this.pulse();
      },
    });
    this.#persister = new Persister(replica, database, parts.epochs, {
      frozen: (ops) => this.#siblings.tell({ kind: "op", ops }),
      found: () => {
        // Who has changes under way tells them anew.
        if (replica.doubted.size > 0) this.#siblings.greet();
        this.#sync.idle(0);
      },
      left: (rows) => this.#life.leftover(rows),
      notes,
      pulse,
    });
    this.#sync = new Sync(
      { ...parts, persister: this.#persister, siblings: this.#siblings },
      {
        notes,
        pulse,
        ended: (code) => this.#life.ended(code),
        met: () => this.#life.met(),
        before: () => this.#life.follow(),
        spent: () => this.#life.spent(),
      },
    );
    if (!parts.live) return;
    this.#live = new Live({
      ...parts,
      question: () => replica.push(replica.writer, []),
      heard: (asked, event) => this.#sync.hear(asked, event),
      refused: () => this.#sync.say("live is refused: check http.EventSource and headers"),
    });
  }

  status(): Status {
    return this.#status;
  }

  /** What `sessionLink` needs of the tab's parts. */
  get linked(): Pick<TabParts, "replica" | "transport"> & { readonly sync: Sync } {
    return { ...this.#parts, sync: this.#sync };
  }

  state(): SessionState {
    return { identifier: this.#replica.identifier, ...this.#replica.facts };
  }

  now(): number {
    return this.#parts.now();
  }

  read(key: Key): unknown {
    return this.#replica.memory.read(key);
  }

  encoded({ name }: Key): string | null {
    return this.#replica.memory.get(name);
  }

  names(): readonly string[] {
    return this.#replica.memory.names();
  }

  write(key: Key, encoded: string | null): void {
    const { memory, outbox } = this.#replica;
    const before = memory.get(key.name);
    this.#beforeWrite();
    // What was only put away meanwhile is to be deleted all the same.
    if (before === encoded && memory.get(key.name) === encoded) return;
    outbox.write(key, encoded, this.#replica.writerOf(key));
    if (this.#persister.soon(!!key.merge && this.#parts.visible())) {
      if (this.#leaving) queueMicrotask(() => this.depart(false));
      else this.#sync.idle(this.#parts.idleMs);
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
    return this.#sync.forced || this.#replica.pending > 0;
  }

  setDirty(dirty: boolean): void {
    this.#sync.forced = dirty;
    if (dirty) this.#sync.idle(this.#parts.idleMs);
  }

  /** Shows what the disk holds, then asks the server for news. Resolves also when the server cannot be reached: the status tells. */
  async awake(): Promise<void> {
    this.#comeBack();
    this.#awake = true;
    this.#leaving = false;
    this.#sync.refresh();
    this.#siblings.open();
    this.#persister.refresh();
    await this.#persister.load();
    await this.#sync.round().catch(() => undefined);
  }

  /**
   * Takes the state that the server rendered; `false`: it is of a session that this browser has ended. Of two sessions the
   * server knows which one the browser has now: it is asked.
   */
  hydrate(snapshot: SessionSnapshot): boolean {
    const { identifier } = snapshot;
    if (identifier !== null && this.#parts.epochs.get().past.includes(identifier)) return false;
    const isOther = identifier !== this.#replica.identifier;
    this.#replica.hydrate(snapshot);
    if (isOther && this.#awake) {
      this.#comeBack();
      this.#sync.catchUp();
    }
    return true;
  }

  /** Sends what is pending home. Resolves when the server has acknowledged it, rejects when it did not. */
  async sleep(): Promise<void> {
    const { outbox, writer } = this.#replica;
    const last = outbox.clock;
    // A round that was under way already may have left without the latest ops.
    const owes = () => [...outbox.own.values()].some((op) => op.seq <= last && !outbox.isWaiting(op));
    const owed = owes();
    while (this.#sync.forced || owes()) {
      this.open();
      await this.#sync.round();
    }
    // Another tab has ended the session, and this one has heard of it.
    if (owed && writer !== this.#replica.writer) {
      throw new SessionError("SESSION_GONE", "The session has ended with what was not sent");
    }
  }

  save(): Promise<void> {
    return this.sleep();
  }

  /** Wipes at once, here and in all tabs, then tells the server; rejects when that has to wait, and goes on trying. */
  async invalidate(): Promise<void> {
    this.#comeBack();
    // A tab that never awoke tells its siblings, too.
    this.#siblings.open();
    this.#life.end();
    await this.#sync.nextRound();
  }

  /** The page goes: synchronous only. At most one small put, and one `fetch` of what the server has not acknowledged. */
  depart(leaving: boolean): void {
    this.#life.follow();
    this.#awake = false;
    this.#leaving = true;
    // Until the handlers of this departure have all run: what they write has no other chance.
    after(0, () => {
      this.#leaving = false;
    });
    this.#persister.depart();
    this.#sync.sendLast();
    // A page in the back/forward cache is thrown out of it by the first message to its channel.
    if (leaving) this.#siblings.close();
    this.pulse();
  }

  /** Another tab may have met a session, or ended it. */
  look(): void {
    const { identifier } = this.#replica;
    this.#life.follow();
    if (this.#replica.identifier !== identifier) this.#sync.catchUp();
  }

  /** Begins, also anew after `close`, which whatever the app does with the session takes back. */
  open(): void {
    if (this.#watched) return;
    this.#watched = { end: this.#parts.watch() };
    this.#persister.forget();
    this.#sync.refresh();
  }

  close(): void {
    this.#awake = false;
    this.#watched?.end?.abort();
    this.#watched = undefined;
    this.#live?.follow(null);
    this.#persister.close();
    this.#sync.close();
    this.#siblings.close();
    this.#parts.database.close();
  }

  /** Works out the status, and tells when it changed. */
  pulse(): void {
    // A hidden page may be awake, to send what waits; but it costs no connection.
    this.#live?.follow(this.#awake && this.#parts.visible() ? this.#replica.identifier : null);
    const { pending } = this.#replica;
    const { storage } = this.#parts.database;
    const { problem } = this.#sync;
    let state: Status["state"] = this.#awake ? "synced" : "asleep";
    if (pending > 0) state = "dirty";
    if (this.#sync.failures > 0) state = "offline";
    if (this.#sync.flying) state = "syncing";
    if (this.#replica.isUnconfirmed) state = "unconfirmed";
    if (this.#sync.expired) state = "expired";
    const was = this.#status;
    if (was.state === state && was.pending === pending && was.storage === storage && was.problem === problem) return;
    this.#status = { state, pending, storage, problem };
    this.#replica.memory.tellStatus();
  }

  /** Any tab of the browser may have told the app, whose answer came first. */
  #tell(told: readonly Told[]): void {
    const { epochs, onConflict } = this.#parts;
    const { heard } = epochs.get();
    const fresh = told.filter((note) => !heard.includes(noteName(note)));
    if (fresh.length > 0) epochs.set({ heard: [...heard, ...fresh.map(noteName)] });
    for (const { writer: _, seq: __, mine, ...note } of fresh) {
      onConflict({ ...note, mine: this.#replica.memory.mine(note, mine) });
    }
  }

  /** Nothing of a session that has ended may live on in what is written. Once in a task: nothing can end it within one. */
  #beforeWrite(): void {
    if (!this.#awake) this.#comeBack();
    else if (!this.#persister.isDue) this.#life.follow();
  }

  /** Called when the page may be visible again. Hides values whose session has ended, or has expired, in the meantime. */
  #comeBack(): void {
    this.open();
    this.#life.follow();
    this.#replica.hideExpired();
  }
}
