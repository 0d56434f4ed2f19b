import { once } from "node:events";
import { createServer, request, type Server } from "node:http";

/** One response as it crossed the wire. */
export interface Recorded {
  readonly url: string;
  /** Names and values in turns, as they came. */
  readonly headers: readonly string[];
  readonly body: string;
}

/** What happens to one request: it never arrives, arrives twice, or late; its answer gets lost, or is cut off half-way. */
export type Fault = "drop" | "double" | "delay" | "lose" | "truncate";

/**
 * The wire between a browser and a server on this machine. It keeps every response, also those to pages that are gone
 * by then, of which the browser's own tools no longer tell; and it can do to requests and answers what networks do.
 */
export class Wire {
  readonly url: string;
  readonly responses: Recorded[] = [];
  /** While it is set, an answer to a URL that contains it gets lost after the server has given it. */
  loses: string | null = null;
  lost = 0;
  /** What happens to the next push. */
  fault: Fault | null = null;
  /** Called when a push sets out. */
  onPush: () => void = () => undefined;
  readonly #server: Server;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async to(target: string): Promise<Wire> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("The wire has no port");
    const wire = new Wire(server, address.port);
    server.on("request", async (incoming, outgoing) => {
      const { method, headers, url = "/" } = incoming;
      const push = url.includes("session.sync");
      const { fault } = wire;
      if (push) {
        wire.onPush();
        wire.fault = null;
        if (fault === "drop") return void outgoing.destroy();
        if (fault === "delay") await new Promise((resolve) => setTimeout(resolve, 300));
      }
      const onward = request(new URL(url, target), { method, headers }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("end", () => {
          const body = Buffer.concat(chunks);
          wire.responses.push({ url, headers: answer.rawHeaders, body: body.toString() });
          if (wire.loses !== null && url.includes(wire.loses)) {
            wire.lost++;
            outgoing.destroy();
          } else if (push && fault === "lose") outgoing.destroy();
          else if (push && fault === "truncate") {
            outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders).write(body.subarray(0, body.length / 2));
            setTimeout(() => outgoing.destroy(), 10);
          } else outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders).end(body);
        });
      });
      onward.on("error", () => outgoing.destroy());
      if (push && fault === "double") {
        const again = request(new URL(url, target), { method, headers }, (answer) => answer.resume());
        again.on("error", () => undefined);
        incoming.pipe(again);
      }
      incoming.pipe(onward);
    });
    return wire;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
