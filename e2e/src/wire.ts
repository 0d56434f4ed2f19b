import { once } from "node:events";
import { createServer, request, type Server } from "node:http";

/** One response as it crossed the wire. */
export interface Recorded {
  readonly url: string;
  /** Names and values in turns, as they came. */
  readonly headers: readonly string[];
  readonly body: string;
}

/**
 * The wire between a browser and a server on this machine. It keeps every response, also those to pages that are gone
 * by then, of which the browser's own tools no longer tell; and it can lose answers.
 */
export class Wire {
  readonly url: string;
  readonly responses: Recorded[] = [];
  /** While it is set, an answer to a URL that contains it gets lost after the server has given it. */
  loses: string | null = null;
  lost = 0;
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
    server.on("request", (incoming, outgoing) => {
      const { method, headers, url = "/" } = incoming;
      const onward = request(new URL(url, target), { method, headers }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("end", () => {
          const body = Buffer.concat(chunks);
          wire.responses.push({ url, headers: answer.rawHeaders, body: body.toString() });
          if (wire.loses !== null && url.includes(wire.loses)) {
            wire.lost++;
            outgoing.destroy();
          } else outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders).end(body);
        });
      });
      onward.on("error", () => outgoing.destroy());
      incoming.pipe(onward);
    });
    return wire;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
