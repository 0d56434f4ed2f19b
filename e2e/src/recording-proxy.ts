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
 * Stands between a browser and a server on this machine and keeps every response: also those of pages that are gone by
 * then, which the browser's own tools no longer tell.
 */
export class RecordingProxy {
  readonly url: string;
  readonly responses: Recorded[] = [];
  readonly #server: Server;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(target: string): Promise<RecordingProxy> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("The proxy listens on no port");
    const proxy = new RecordingProxy(server, address.port);
    server.on("request", (incoming, outgoing) => {
      const { method, headers, url = "/" } = incoming;
      const onward = request(new URL(url, target), { method, headers }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("end", () => {
          proxy.responses.push({ url, headers: answer.rawHeaders, body: Buffer.concat(chunks).toString() });
        });
        outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
        answer.pipe(outgoing);
      });
      onward.on("error", () => outgoing.destroy());
      incoming.pipe(onward);
    });
    return proxy;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
