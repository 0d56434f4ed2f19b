import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** A TCP proxy on a free port, which does to connections what networks do. */
export interface Proxy {
  readonly port: number;
  /** From now on what the server answers is lost. */
  muteServer(): void;
  /** Ends all connections as a crash would. With `refuse`, new ones are refused as well. */
  cut(refuse?: boolean): void;
  /** All is well again, for new connections. */
  mend(): void;
  /** New connections go to this port. */
  aim(port: number): void;
  stop(): Promise<void>;
}

export async function startProxy(target: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let aim = target;
  let muted = false;
  let refusing = false;
  const server = createServer((client) => {
    if (refusing) {
      client.destroy();
      return;
    }
    const upstream = connect(aim, "127.0.0.1");
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on("data", (chunk) => {
        if (from === client || !muted) to.write(chunk);
      });
      from.on("error", () => undefined);
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const cut = (refuse = false) => {
    refusing = refuse;
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: address.port,
    muteServer() {
      muted = true;
    },
    cut,
    mend() {
      muted = false;
      refusing = false;
    },
    aim(port) {
      aim = port;
    },
    async stop() {
      cut(true);
      server.close();
      await once(server, "close");
    },
  };
}
