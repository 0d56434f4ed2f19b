import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

/** One request and its response as they crossed the wire. */
export interface Recorded {
  readonly url: string;
  readonly request: string;
  /** Names and values in turns, as they came. */
  readonly headers: readonly string[];
  readonly body: string;
  /** Whether the browser was given the response, whole; not so of one that got lost, was cut off, or is kept back so far. */
  heard: boolean;
}

/**
 * What happens to one push: it never arrives, or so late that its retry has overtaken it, or twice; its answer is kept
 * back, gets lost, or is cut off half-way. `none`: it gets through.
 */
export type Fault = "drop" | "late" | "double" | "delay" | "lose" | "truncate" | "none";

/**
 * The wire between a browser and a server on this machine. It keeps every response, also those to pages that are gone
 * by then, of which the browser's own tools no longer tell; and it can do to requests and answers what networks do.
 * Of a live stream, which has no end, nothing comes through.
 */
export class Wire {
  readonly url: string;
  readonly responses: Recorded[] = [];
  /** While it is set, an answer to a URL that contains it gets lost after the server has given it. */
  loses: string | null = null;
  lost = 0;
  /** What a push waits for before it goes on, by its body. */
  holds: (push: string) => Promise<unknown> | undefined = () => undefined;
  /** So many answers to pushes are kept back, and then given with the latest first. */
  backwards = 1;
  /** How many answers to pushes have come after one to a later push. */
  overtaken = 0;
  #kept: { push: number; give: () => void }[] = [];
  #patience: NodeJS.Timeout | undefined;
  #pushes = 0;
  #answered = 0;
  readonly #server: Server;
  readonly #target: string;
  #strike: { fault: Fault; over: () => void } | null = null;
  /** From a strike to `mend`: no push gets through. */
  #mended: Promise<void> | null = null;
  #mend: () => void = () => undefined;
  #late: (() => Promise<unknown>)[] = [];

  private constructor(server: Server, port: number, target: string) {
    this.#server = server;
    this.#target = target;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async to(target: string): Promise<Wire> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("The wire has no port");
    const wire = new Wire(server, address.port, target);
    // Either end may go at any time: then the other one is told.
    server.on("request", (incoming, outgoing) => {
      wire.#carry(incoming, outgoing).catch(() => outgoing.destroy());
    });
    return wire;
  }

  /**
   * The next push of changes meets this fault, and after it no push gets through until `mend`. Resolves when it has met it:
   * with its request kept or dropped, its answer lost, given, or come as far as it will.
   */
  strike(fault: Fault): Promise<void> {
    return new Promise((over) => {
      this.#strike = { fault, over };
    });
  }

  /** From here on everything gets through, and what was kept back of answers is given. */
  mend(): void {
    this.#mend();
    this.#mended = null;
  }

  /** Lets requests arrive that are late. Resolves when the server has answered, to nobody. */
  async deliverLate(): Promise<void> {
    for (const deliver of this.#late.splice(0)) await deliver();
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #carry(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { url = "/" } = incoming;
    const body = await buffer(incoming);
    const push = url.includes("session.sync");
    const number = push ? ++this.#pushes : 0;
    if (push && this.#mended) return void outgoing.destroy();
    const struck = push && body.includes('"seq":') ? this.#strike : null;
    if (struck) this.#down();
    const fault = struck?.fault ?? "none";
    const send = () => this.#send(incoming, body, push ? undefined : outgoing);
    try {
      if (fault === "drop" || fault === "late") {
        if (fault === "late") this.#late.push(send);
        return void outgoing.destroy();
      }
      const mended = this.#mended;
      if (push) await this.holds(body.toString());
      const [answer] = await Promise.all(fault === "double" ? [send(), send()] : [send()]);
      if (fault === "delay") {
        struck?.over();
        await mended;
      }
      if (push) {
        if (this.backwards > 1) await this.#turn(number);
        if (number < this.#answered) this.overtaken++;
        this.#answered = Math.max(number, this.#answered);
      }
      this.#answer(answer, outgoing, fault);
    } finally {
      struck?.over();
    }
  }

  /** Resolves when the answer to this push may be given. When no other comes for a second, those that are kept are all. */
  #turn(push: number): Promise<void> {
    return new Promise((give) => {
      this.#kept.push({ push, give });
      clearTimeout(this.#patience);
      if (this.#kept.length >= this.backwards) void this.#give();
      else this.#patience = setTimeout(() => this.#give(), 1000);
    });
  }

  /** With some time between two, so that the tab of the first one has told the others of it. */
  async #give(): Promise<void> {
    for (const { give } of this.#kept.splice(0).sort((one, other) => other.push - one.push)) {
      give();
      await sleep(50);
    }
  }

  #down(): void {
    this.#strike = null;
    this.#mended = new Promise((resolve) => {
      this.#mend = resolve;
    });
  }

  /** Sends a request on and keeps what comes back, once it is whole. With `browser`, it ends when that waits no more. */
  #send({ method, headers, url = "/" }: IncomingMessage, body: Buffer, browser?: ServerResponse): Promise<Answer> {
    return new Promise((resolve, reject) => {
      // Without an agent, which would keep a connection to a server that has died since.
      const options = { method, headers, agent: false };
      const onward = request(new URL(url, this.#target), options, (answer) => {
        buffer(answer).then((whole) => {
          const { rawHeaders: headers, statusCode: status = 502 } = answer;
          const recorded = { url, request: body.toString(), headers, body: whole.toString(), heard: false };
          this.responses.push(recorded);
          resolve({ status, body: whole, recorded });
        }, reject);
      });
      onward.on("error", reject);
      browser?.once("close", () => onward.destroy());
      onward.end(body);
    });
  }

  #answer({ status, body, recorded }: Answer, outgoing: ServerResponse, fault: Fault): void {
    if (this.loses !== null && recorded.url.includes(this.loses)) {
      this.lost++;
      outgoing.destroy();
    } else if (fault === "lose") outgoing.destroy();
    else {
      outgoing.writeHead(status, [...recorded.headers]);
      if (fault === "truncate") {
        // Not at once, or nothing of it would arrive.
        outgoing.write(body.subarray(0, body.length / 2), () => setTimeout(() => outgoing.destroy(), 10));
      } else {
        outgoing.end(body);
        recorded.heard = !outgoing.destroyed;
      }
    }
  }
}

/** An answer on its way back. */
interface Answer {
  readonly status: number;
  readonly body: Buffer;
  readonly recorded: Recorded;
}
