import type { Delta } from "../replica/delta.ts";
import type { Pending } from "../replica/memory.ts";
import type { Replica } from "../replica/replica.ts";
import type { Wipe } from "../storage/wiper.ts";

/** What one tab tells the others. `hello` asks all living ones for their `op`. */
type Body =
  | { readonly kind: "op"; readonly ops: readonly Pending[] }
  | { readonly kind: "synced"; readonly delta: Delta }
  | ({ readonly kind: "wipe" } & Wipe)
  | { readonly kind: "hello" };

/** Every message names the session that it is about, and whose it is: tabs of another session ignore it. */
type Message = Body & { readonly identifier: string | null; readonly profile: string; readonly writer: string };

/** The few methods of a BroadcastChannel that are called. */
export interface Channel {
  onmessage: ((event: MessageEvent) => unknown) | null;
  postMessage(message: unknown): void;
  close(): void;
}

/** What a sibling's message may ask of this tab. */
export interface SiblingsEvents {
  /** The server knows more than this tab. */
  behind(): void;
  wiped(wipe: Wipe): void;
  /** The replica has changed. */
  changed(): void;
}

/** The tabs of one browser tell each other what they write and what they learn. None leads. */
export class Siblings {
  /** Siblings heard from since the last `open`: these are not to be retired. */
  readonly alive: Set<string> = new Set();
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
    this.alive.clear();
    this.tell({ kind: "hello" });
  }

  tell(body: Body): void {
    const { identifier, writer, profile } = this.#replica;
    // A tab that is asleep listens to nobody, but what it wipes is wiped everywhere.
    const channel = this.#channel ?? (body.kind === "wipe" ? this.#open() : undefined);
    channel?.postMessage({ ...body, identifier, profile: profile.profile, writer });
    if (channel !== this.#channel) channel?.close();
  }

  close(): void {
    this.#channel?.close();
    this.#channel = undefined;
  }

  #heard(message: Message): void {
    const { memory, outbox, identifier, profile } = this.#replica;
    if (message.kind === "wipe") return this.#events.wiped(message);
    // Whatever session they are of: a later edit has a higher number in all tabs.
    if (message.kind === "op") for (const { seq } of message.ops) outbox.clock = Math.max(outbox.clock, seq);
    const same = message.identifier === identifier;
    // A sibling has a session where this tab has none yet.
    if (!same && identifier === null) this.#events.behind();
    // Two profiles are two devices: what is decided of the other's changes, no answer tells.
    if (message.profile !== profile.profile) {
      if (same && message.kind === "synced") this.#events.behind();
      return;
    }
    const meetsLater = !same && message.identifier === null;
    if (same || meetsLater) {
      this.alive.add(message.writer);
      // It seemed dead when its rows were sent for it, and is not.
      this.#replica.retired.delete(message.writer);
    }
    switch (message.kind) {
      case "hello":
        if (same || identifier === null) {
          this.tell({ kind: "op", ops: [...outbox.own.values()].filter((op) => outbox.isFrozen(op)) });
        }
        break;
      case "op":
        for (const op of message.ops) if (same || (meetsLater && memory.has(op))) outbox.hear(op);
        memory.settle();
        this.#events.changed();
        break;
      case "synced":
        if (!same) break;
        if (this.#replica.lacks(message.delta)) this.#events.behind();
        else this.#replica.apply(message.delta);
        this.#events.changed();
    }
  }
}
