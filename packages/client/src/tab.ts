import {
  type AnyDefinition,
  after,
  type BaseHome,
  decode,
  type Key,
  noteName,
  type SessionErrorCode,
  type SessionState,
} from "@catnap/shared";
import type { Told } from "./replica/delta.ts";
import { call } from "./replica/memory.ts";
import type { Replica } from "./replica/replica.ts";
import { type OpRow, rowName } from "./replica/rows.ts";
import { type Database, snapshotRows } from "./storage/database.ts";
import type { Marks } from "./storage/marks.ts";
import { Persister } from "./storage/persister.ts";
import type { StorageState } from "./storage/table.ts";
import { Wiper } from "./storage/wiper.ts";
import { Live, type LiveParts } from "./sync/live.ts";
import { type Channel, Siblings } from "./sync/siblings.ts";
import { Sync } from "./sync/sync.ts";
import type { Transport } from "./sync/transport.ts";

/** What a tab's session is doing, and whether its changes are safe. A new object only when something differs. */
export interface Status {
  /** `asleep` before the first awake and while the page is hidden; `synced`: nothing is pending; `offline`: the last try to reach the server failed. */
  readonly state: "asleep" | "synced" | "dirty" | "syncing" | "offline" | "expired";
  /** Changes of this browser that the server has not acknowledged, as far as this tab knows. */
  readonly pending: number;
  /** Where they wait: safe on `disk`, in `memory` alone, or not known yet. */
  readonly storage: StorageState;
  /** Why changes cannot go home, where somebody has to mend that; the same object until it differs. A lost network is none. */
  readonly problem?: { readonly code: SessionErrorCode; readonly message: string } | undefined;
}

/** A session ended with changes that never went home: the app decides what becomes of them. */
export interface Expired {
  readonly code: "SESSION_EXPIRED" | "SESSION_GONE" | "SESSION_REPLACED";
  /** The latest unsent change of each key; a `value` of `undefined` is a deletion. */
  readonly unsent: readonly { readonly key: string; readonly value: unknown }[];
}

/** A change of this browser that was not simply applied: enough to tell the user, and to offer an undo. */
export interface Conflict {
  readonly key: string;
  /**
   * `merged`: the change and another one were joined. `lost`: another device's change stands in its place. `rejected`:
   * it fits neither the schema nor the rights of the browser, and was dropped.
   */
  readonly what: "lost" | "merged" | "rejected";
  /** What the change had set; `undefined`: it was a deletion, or too long to be kept since it was sent. */
  readonly mine: unknown;
  readonly code?: SessionErrorCode;
  readonly message?: string;
}

/** What a tab works with; `createSessionClient` puts it together. */
export interface TabParts {
  readonly definition: AnyDefinition;
  readonly replica: Replica;
  readonly transport: Transport;
  readonly marks: Marks;
  readonly database: Database;
  readonly idleMs: number;
  readonly maxWaitMs: number;
  readonly now: () => number;
  readonly random: () => number;
  readonly visible: () => boolean;
  readonly openChannel: () => Channel | undefined;
  /** Absent: no live updates. */
  readonly live: Pick<LiveParts, "locks" | "name"> | undefined;
  readonly onConflict: ((conflict: Conflict) => void) | undefined;
  readonly onExpired: ((event: Expired) => void) | undefined;
}

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
  readonly #wiper: Wiper;
  readonly #live: Live | undefined;
  #status: Status;
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
    this.#wiper = new Wiper(parts, {
      wiped: (wipe) => this.#siblings.tell({ kind: "wipe", ...wipe }),
      abandon: (nonce) => this.#sync.abandon(nonce),
      forget: (nonce) => this.#forget(nonce),
    });
    const pulse = () => this.pulse();
    const notes = (told: readonly Told[]) => this.#tell(told);
    this.#siblings = new Siblings(replica, parts.openChannel, {
      behind: () => this.#sync.catchUp(),
      wiped: (wipe) => this.#wiper.heard(wipe),
      changed: () => {
        this.#persister.save();
        if (this.#awake && replica.pending > 0) this.#sync.wonder();
        this.pulse();
      },
    });
    this.#persister = new Persister(replica, database, parts.marks, {
      frozen: (ops) => this.#siblings.tell({ kind: "op", ops }),
      found: () => {
        // Who has changes under way tells them anew.
        if (replica.doubted.size > 0) this.#siblings.tell({ kind: "hello" });
        this.#sync.idle(0);
      },
      renamed: () => {
        // What siblings told before was a stranger's, and what the stream tells is.
        this.#siblings.tell({ kind: "hello" });
        this.#live?.follow(null);
      },
      notes,
      pulse,
    });
    this.#sync = new Sync(
      { ...parts, persister: this.#persister, siblings: this.#siblings },
      {
        notes,
        pulse,
        ended: (code) => this.#ended(code),
        replaced: (strangers) => this.#replaced(strangers),
        before: () => this.#wiper.bury(),
        spent: (nonce) => replica.renew(this.#wiper.nonceAfter(nonce)),
      },
    );
    this.#live =
      parts.live &&
      new Live({
        ...parts.live,
        transport: parts.transport,
        now: parts.now,
        random: parts.random,
        question: () => replica.push(replica.profile.profile, replica.writer, []),
        heard: (asked, event) => this.#sync.hear(asked, event),
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

  names(): readonly string[] {
    return this.#replica.memory.names();
  }

  write(key: Key, encoded: string | null): void {
    const { memory, outbox } = this.#replica;
    const before = memory.get(key.name);
    // An asleep tab has not heard of a wipe: nothing of what was wiped may live on in what it writes.
    if (!this.#awake) this.#comeBack();
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
    if (!this.#awake) this.#comeBack();
    const present = this.read(key);
    this.write(key, key.encode(change(present === undefined ? key.fallback() : present)));
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

  /** Sends what is pending home. Resolves when the server has acknowledged it, rejects when it did not. */
  async sleep(): Promise<void> {
    const { outbox } = this.#replica;
    const last = outbox.clock;
    // A round that was under way already may have left without the latest ops.
    const owes = () => [...outbox.own.keys()].some((seq) => seq <= Math.max(last, outbox.renumberedTo));
    while (this.#sync.forced || owes()) await this.#sync.round();
  }

  save(): Promise<void> {
    return this.sleep();
  }

  /** Wipes at once, here and in all tabs, then tells the server; rejects when that has to wait, and goes on trying. */
  async invalidate(): Promise<void> {
    // One that this tab cannot name, since it has not met it, is asked for; one that is made after now is another.
    this.#parts.marks.add("end", this.#replica.identifier ?? `*${this.now()}`);
    this.#wiper.wipe("*");
    await this.#sync.nextRound();
  }

  /** The page goes: synchronous only. At most one small put, and one `fetch` of what the server has not acknowledged. */
  depart(leaving: boolean): void {
    this.#wiper.bury();
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

  close(): void {
    this.#awake = false;
    this.#live?.follow(null);
    this.#persister.close();
    this.#sync.close();
    this.#siblings.close();
    this.#parts.database.close();
  }

  /** Works out the status, and tells when it changed. */
  pulse(): void {
    // Siblings tell those of their own session alone what they wait for.
    if (this.#wiper.meet()) this.#siblings.tell({ kind: "hello" });
    // A hidden page may be awake, to send what waits; but it costs no connection.
    this.#live?.follow(this.#awake && this.#parts.visible() ? this.#replica.identifier : null);
    const { pending } = this.#replica;
    const { storage } = this.#parts.database;
    const { problem } = this.#sync;
    let state: Status["state"] = this.#awake ? "synced" : "asleep";
    if (pending > 0) state = "dirty";
    if (this.#sync.failures > 0) state = "offline";
    if (this.#sync.flying) state = "syncing";
    if (this.#sync.expired) state = "expired";
    const was = this.#status;
    if (was.state === state && was.pending === pending && was.storage === storage && was.problem === problem) return;
    this.#status = { state, pending, storage, problem };
    this.#replica.memory.tellStatus();
  }

  /** Any tab of the browser may have told the app, whose answer came first. */
  #tell(told: readonly Told[]): void {
    const { marks, onConflict } = this.#parts;
    const heard = new Set(marks.list("heard"));
    const fresh = told.filter((note) => !heard.has(noteName(note)));
    marks.add("heard", ...fresh.map(noteName));
    for (const { writer: _, seq: __, mine, ...note } of fresh) {
      call(() => onConflict?.({ ...note, mine: decoded(mine, note.key) }));
    }
  }

  #ended(code: Expired["code"]): void {
    const { identifier, outbox, writer, diskless, profile } = this.#replica;
    const unsent = this.#replica.unsent();
    if (code === "SESSION_EXPIRED") {
      // The ops stay on disk, for the case that this very session comes back; its values do not.
      this.#persister.save("changes", snapshotRows);
      if (identifier !== null) this.#parts.marks.add("parked", identifier);
      this.#forget(profile.nonce, this.now());
    } else if (identifier === null) {
      // It was met by what this tab alone had sent: siblings may be in another by now.
      for (const name of [writer, diskless]) outbox.acknowledge(name, outbox.clock);
      this.#persister.save();
      this.#wiper.leave(this.#wiper.nonceAfter(profile.nonce));
    } else this.#wiper.wipe(identifier);
    call(() => this.#parts.onExpired?.({ code, unsent }));
  }

  /** Nothing of one session waits on disk while the browser has another: the app gets it, unless it was given it when that one expired. */
  #replaced(strangers: readonly OpRow[]): void {
    const { identifier } = this.#replica;
    const rows = strangers.filter((row) => row.identifier !== identifier);
    if (rows.length === 0) return;
    this.#replica.strangers = [];
    this.#persister.save(
      "changes",
      rows.map(({ writer, op }) => rowName({ ...op, writer })),
    );
    const parked = this.#parts.marks.list("parked");
    const unsent = this.#replica.unsent(
      rows.filter((row) => !parked.includes(row.identifier ?? "")).map(({ op }) => op),
    );
    if (unsent.length > 0) call(() => this.#parts.onExpired?.({ code: "SESSION_REPLACED", unsent }));
  }

  /** A page that comes back may show what was wiped meanwhile, or what has expired. */
  #comeBack(): void {
    this.#wiper.bury();
    this.#replica.hideExpired();
  }

  #forget(nonce: string, expiresAt?: number): void {
    this.#replica.reset(nonce, expiresAt);
    this.#persister.forget();
    this.#sync.forced = false;
    this.pulse();
  }
}

/** What was refused may be no encoded value at all. */
function decoded(encoded: string | null | undefined, key: string): unknown {
  try {
    return encoded == null ? undefined : decode(encoded, key);
  } catch {
    return undefined;
  }
}
