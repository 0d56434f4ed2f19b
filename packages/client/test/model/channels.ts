import type { Channel } from "../../src/index.ts";

/** A browser's BroadcastChannels, all of one name: what one of them posts, the others hear, later. */
export class SimulatedChannels {
  readonly #defer: (task: () => void) => void;
  readonly #hear = new Map<Channel, (data: unknown) => void>();

  /** `defer` runs what is due. */
  constructor(defer: (task: () => void) => void) {
    this.#defer = defer;
  }

  /** What a tab takes for a new BroadcastChannel; what it hears waits until it is there, and it posts while it `lives`. */
  open(whenThere: (task: () => void) => void, lives: () => boolean): Channel {
    const own: Channel = {
      onmessage: null,
      postMessage: (data) => {
        if (!lives()) return;
        const copy = structuredClone(data);
        for (const [other, hear] of this.#hear) if (other !== own) this.#defer(() => hear(copy));
      },
      close: () => void this.#hear.delete(own),
    };
    this.#hear.set(own, (data) => whenThere(() => own.onmessage?.({ data } as MessageEvent)));
    return own;
  }
}
