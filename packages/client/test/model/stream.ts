import type { ChangesEvent } from "@catnap/shared";
import type { Message, Tab } from "./device.ts";

/** Follows the session on the server, until it ends or the signal ends it. */
type Follow = (left: AbortSignal, tell: (event: ChangesEvent) => void) => Promise<void>;

/** What an `EventSource` tells: the type of the event, and its data. */
export type StreamListener = (type: "message" | "error", data?: string) => void;

/**
 * A tab's live stream on the simulated network. Its request is a message, and so is each event, which sets out when the
 * one before has arrived; the loss of any of them breaks the stream.
 */
export class SimulatedStream {
  readonly tab: Tab;
  readonly #messages: Message[];
  readonly #listener: StreamListener;
  readonly #left = new AbortController();
  readonly #waiting: (() => void)[] = [];
  /** What is under way. */
  #message: Message | undefined;
  #begun = false;

  constructor(tab: Tab, messages: Message[], listener: StreamListener, follow: Follow) {
    this.tab = tab;
    this.#messages = messages;
    this.#listener = listener;
    // A request that arrives twice is answered once: the connection has one other end.
    const begin = () => {
      if (this.#begun) return;
      this.#begun = true;
      void follow(this.#left.signal, (data) => this.#send(() => listener("message", JSON.stringify(data))))
        .catch(() => undefined)
        .then(() => this.#send(() => listener("error")));
    };
    this.#next(() => undefined, begin);
  }

  /** The server follows the session, and the tab hears of it. */
  get open(): boolean {
    return this.#begun && !this.#left.signal.aborted;
  }

  /** The tab has heard enough; what is under way to it is nobody's any more. */
  unsubscribe(): void {
    this.#left.abort();
    const at = this.#message ? this.#messages.indexOf(this.#message) : -1;
    if (at >= 0) this.#messages.splice(at, 1);
  }

  /** The connection is cut, unless the tab has ended it. */
  break(): void {
    if (this.#left.signal.aborted) return;
    this.unsubscribe();
    const fail = () => this.#listener("error");
    if (this.tab.frozen) this.tab.held.push(fail);
    else if (this.tab.alive) fail();
  }

  #send(arrive: () => void): void {
    if (this.#left.signal.aborted) return;
    if (this.#message) this.#waiting.push(arrive);
    else this.#next(arrive);
  }

  #next(arrive: () => void, begin: () => void = () => undefined): void {
    const settle = () => {
      this.#message = undefined;
      arrive();
      const after = this.#waiting.shift();
      if (after) this.#send(after);
    };
    const message: Message = {
      tab: this.tab,
      cookie: this.tab.device.cookie,
      handle: async () => {
        begin();
        message.answer = { cookies: [], settle };
      },
      fail: () => this.break(),
    };
    this.#message = message;
    this.#messages.push(message);
  }
}
