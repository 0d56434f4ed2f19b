import { Life } from "./life.ts";
import type { Told } from "./replica/delta.ts";
import type { Replica } from "./replica/replica.ts";
import { Persister } from "./storage/persister.ts";
import { Live } from "./sync/live.ts";
import { Siblings } from "./sync/siblings.ts";
import { Sync } from "./sync/sync.ts";
import type { Status, TabParts } from "./tab-parts.ts";
import { isSame, statusOf, Teller } from "./tab-tells.ts";

/** A tab's parts, and what each hears of the others. */
export class TabCore {
  protected readonly parts: TabParts;
  protected readonly replica: Replica;
  protected readonly persister: Persister;
  protected readonly siblings: Siblings;
  protected readonly sync: Sync;
  protected readonly life: Life;
  protected readonly live?: Live;
  #status: Status;
  protected isAwake = false;

  constructor(parts: TabParts) {
    const { replica, database } = parts;
    this.parts = parts;
    this.replica = replica;
    this.#status = { state: "asleep", pending: 0, storage: database.storage };
    this.life = new Life(parts, {
      joined: (met) => {
        this.siblings.greet();
        if (met) this.persister.readAgain();
        this.pulse();
      },
      left: () => {
        // What is taken along is on its way to the disk before what it was leaves it.
        if (replica.memory.pending > 0) this.persister.flush();
        this.persister.sweep();
        this.sync.forced = false;
        this.sync.intake.expired = parts.epochs.get().ended === "SESSION_EXPIRED";
        this.siblings.greet();
        this.pulse();
      },
    });
    const pulse = () => this.pulse();
    const teller = new Teller(parts);
    const notes = (told: readonly Told[]) => teller.tellInTurn(told);
    this.siblings = new Siblings(replica, parts.openChannel, {
      differs: () => this.look(),
      behind: () => this.sync.catchUp(),
      changed: () => {
        this.persister.save();
        if (this.isAwake && replica.memory.pending > 0) this.sync.pace.wonder();
        this.pulse();
      },
    });
    this.persister = new Persister(replica, database, parts.epochs, {
      frozen: (ops) => this.siblings.tell({ kind: "op", ops }),
      found: () => {
        // Who has changes under way tells them anew.
        if (replica.outbox.doubted.size > 0) this.siblings.greet();
        this.sync.pace.idle(0);
      },
      left: (rows) => this.life.leftover(rows),
      notes,
      pulse,
    });
    this.sync = new Sync(
      { ...parts, persister: this.persister, siblings: this.siblings },
      {
        notes,
        rejected: (told) => teller.tell([told]),
        pulse,
        ended: (code) => this.life.ended(code),
        met: () => this.life.met(),
        before: () => this.life.follow(),
        spent: () => this.life.spent(),
      },
    );
    if (!parts.live) return;
    this.live = new Live({
      ...parts,
      question: () => replica.push(replica.writer, []),
      heard: (asked, event) => this.sync.hear(asked, event),
      // Told once the server itself has answered: while it is away, no setting is at fault.
      refused: () =>
        void this.sync
          .nextRound()
          .then(() => this.sync.troubles.say("live is refused: check http.headers and EventSource"))
          .catch(() => undefined),
    });
  }

  status(): Status {
    return this.#status;
  }

  /** What `sessionLink` needs of the tab's parts. */
  get linked(): Pick<TabParts, "replica" | "transport"> & { readonly sync: Sync } {
    return { ...this.parts, sync: this.sync };
  }

  /** Tells when the status has changed. */
  pulse(): void {
    const { replica, database, visible } = this.parts;
    // A hidden page may be awake, to send what waits; but it costs no connection.
    this.live?.follow(this.isAwake && visible() ? replica.identifier : null);
    const next = statusOf(replica, database, this.sync, this.isAwake);
    if (isSame(next, this.#status)) return;
    this.#status = next;
    replica.memory.tellStatus();
  }

  /** Another tab may have met a session, or ended it. */
  look(): void {
    const { identifier } = this.replica;
    this.life.follow();
    if (this.replica.identifier !== identifier) this.sync.catchUp();
  }
}
