import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

/** A long way between a browser and a server on this machine: calls arrive late, and so does all that comes back, streams too. */
export class SlowWay {
  readonly url: string;
  /** How many milliseconds a call takes there and back; the page itself and its script are there at once. */
  ms = 0;
  readonly #server: Server;
  readonly #target: string;

  private constructor(server: Server, port: number, target: string) {
    this.url = `http://127.0.0.1:${port}`;
    this.#server = server;
    this.#target = target;
  }

  static async to(target: string): Promise<SlowWay> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("The way has no port");
    const way = new SlowWay(server, address.port, target);
    server.on("request", (incoming, outgoing) => {
      way.#carry(incoming, outgoing).catch(() => outgoing.destroy());
    });
    return way;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #carry(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method, headers, url = "/" } = incoming;
    const body = await buffer(incoming);
    const ms = url.startsWith("/trpc/") ? this.ms / 2 : 0;
    await sleep(ms);
    const onward = request(new URL(url, this.#target), { method, headers, agent: false }, (answer) => {
      // Timers of one length go off in the order in which they were set.
      const late = (step: () => void) => setTimeout(step, ms);
      late(() => outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders).flushHeaders());
      answer.on("data", (chunk) => late(() => outgoing.write(chunk)));
      answer.on("end", () => late(() => outgoing.end()));
      answer.on("error", () => outgoing.destroy());
    });
    // Either end may go at any time: then the other one is told.
    onward.on("error", () => outgoing.destroy());
    outgoing.on("close", () => onward.destroy());
    onward.end(body);
  }
}
