import type { Delta } from "../replica/delta.ts";
import type { Pending } from "../replica/memory.ts";
import type { Replica } from "../replica/replica.ts";

/** What one tab tells the others. `hello` asks all living ones of its epoch for their `op`. */
type Body =
  | { readonly kind: "op"; readonly ops: readonly Pending[] }
  | { readonly kind: "synced"; readonly delta: Delta }
  | { readonly kind: "hello" };

/** Every message names its epoch and its session: tabs of others look which ones the browser has, and ignore the rest. */
type Message = Body & { readonly identifier: string | null; readonly epoch: string; readonly writer: string };

/** The few methods of a BroadcastChannel that are called. */
export interface Channel {
  onmessage: ((event: MessageEvent) => unknown) | null;
  postMessage(message: unknown): void;
  close(): void;
}

/** What a sibling's message may ask of this tab. */
export interface SiblingsEvents {
  /** A sibling is of another epoch, or knows a session that this tab does not. */
  differs(): void;
  /** The server knows more than this tab. */
  behind(): void;
  /** The replica has changed. */
  changed(): void;
}

/** The tabs of one browser tell each other what they write and what they learn. None leads. */
export class Siblings {
  readonly #replica: Replica;
  readonly #open: () => Channel | undefined;
  readonly #events: SiblingsEvents;
  #channel: Channel | undefined;

  constructor(replica: Replica, open: () => Channel | undefined, events: SiblingsEvents) {
    this.#replica = replica;
    this.#open = open;
    this.#events = events;
  }

  open(): void {
    this.#channel ??= this.#open();
    if (this.#channel) this.#channel.onmessage = ({ data }) => data && this.#heard(data as Message);
    this.greet();
  }

  /** Tells what this tab waits for, and asks the others for what they wait for. */
  greet(): void {
    this.#tellOps();
    this.tell({ kind: "hello" });
  }

  tell(body: Body): void {
    const { identifier, writer, epoch } = this.#replica;
    try {
      this.#channel?.postMessage({ ...body, identifier, epoch, writer });
    } catch {
      // Siblings find out by their next look at the epoch, the disk or the server.
    }
  }

  close(): void {
    this.#channel?.close();
    this.#channel = undefined;
  }

  #tellOps(): void {
    this.tell({ kind: "op", ops: this.#replica.outbox.frozen() });
  }

  #heard(message: Message): void {
    const { outbox } = this.#replica;
    const isOurs = () => message.epoch === this.#replica.epoch && message.identifier === this.#replica.identifier;
    if (!isOurs()) this.#events.differs();
    const { epoch, identifier } = this.#replica;
    // A sibling that has not met the session yet is of the same epoch: its ops belong here.
    if (message.epoch !== epoch || (message.identifier !== null && message.identifier !== identifier)) return;
    switch (message.kind) {
      case "hello":
        this.#tellOps();
        break;
      case "op":
        for (const op of message.ops) {
          this.#replica.living.add(op.writer);
          outbox.hear(op);
        }
        this.#replica.memory.settle();
        this.#events.changed();
        break;
      case "synced":
        if (!isOurs()) break;
        if (this.#replica.lacks(message.delta)) this.#events.behind();
        else this.#replica.apply(message.delta);
        this.#events.changed();
    }
  }
}
