import type { ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import type { HeldAnswer } from "./exchange.ts";

/** What sends a part of a Node response. */
const senders = ["writeHead", "flushHeaders", "write", "end"] as const;
type Sender = (typeof senders)[number];
type Send = (...args: unknown[]) => unknown;

interface Waiting {
  readonly sender: Sender;
  readonly send: Send;
  readonly args: readonly unknown[];
}

/**
 * Holds back what an application answers on a Node response, so that the head, and with it the cookie, leaves after the
 * session's commit. Then what was held back is sent in its order, or dropped, and the response is as it was.
 */
export class HeldResponse implements HeldAnswer {
  readonly answered: Promise<void>;
  readonly #response: ServerResponse;
  readonly #sources = new Set<Readable>();
  #waiting: Waiting[] = [];
  #open = false;
  readonly #listeners: (() => void)[] = [];

  constructor(response: ServerResponse) {
    this.#response = response;
    response.on("pipe", (source: Readable) => void this.#sources.add(source));
    response.on("unpipe", (source: Readable) => void this.#sources.delete(source));
    this.answered = new Promise((resolve) => {
      for (const sender of senders) {
        const send = response[sender].bind(response) as Send;
        const held = (...args: unknown[]) => {
          if (this.#open) return send(...args);
          this.#hold({ sender, send, args });
          resolve();
          return sender === "write" ? false : response;
        };
        Object.assign(response, { [sender]: held });
      }
    });
  }

  get isHolding(): boolean {
    return !this.#open;
  }

  /** Calls back when what was held back, or another answer in its place, is about to be sent. */
  beforeRelease(call: () => void): void {
    this.#listeners.push(call);
  }

  get status(): number {
    const head = this.#waiting.find(({ sender }) => sender === "writeHead");
    return typeof head?.args[0] === "number" ? head.args[0] : this.#response.statusCode;
  }

  release(): void {
    if (this.#open) return;
    this.#letGo();
    let taken: unknown = false;
    // What others have wrapped around these meanwhile has seen it already: compressed twice is broken. The head is sent as the
    // response now has it, since the session's headers are put in on that way.
    for (const { sender, send, args } of this.#waiting)
      taken = sender === "writeHead" ? (this.#response.writeHead as Send)(...args) : send(...args);
    this.#waiting = [];
    // Whoever was told to wait with the next part goes on.
    if (taken === true) this.#response.emit("drain");
  }

  discard(): void {
    if (this.#open) return;
    this.#drop();
    this.#letGo();
    for (const name of ["content-length", "content-encoding", "etag", "last-modified"]) {
      this.#response.removeHeader(name);
    }
  }

  #letGo(): void {
    this.#open = true;
    for (const call of this.#listeners) call();
  }

  #hold(one: Waiting): void {
    // An answer after a whole one takes its place: the error page that a framework gives when a handler has failed, say.
    if (this.#waiting.some(({ sender }) => sender === "end")) this.#drop();
    this.#waiting.push(one);
  }

  #drop(): void {
    this.#waiting = [];
    for (const source of this.#sources) {
      source.unpipe(this.#response);
      source.destroy();
    }
  }
}
