import type { Exchange, RequestInfo } from "./exchange.ts";
import { headerIn } from "./headers.ts";
import type { NodeRequest } from "./node.ts";

/** What tRPC's WebSocket adapter hands over: the request that opened the connection, and the connection. */
export interface SocketSource {
  readonly req: NodeRequest;
  readonly res: {
    send(data: string): unknown;
    close(code?: number, reason?: string): unknown;
    readonly readyState: number;
  };
  readonly info?: RequestInfo;
}

/** "Service restart": a client comes back at once, with the cookies that it has then. */
const comeBack = 1012;

export function ofSocket({ req, res }: SocketSource): Exchange {
  return {
    // Its calls are no requests of their own; the browser has let the page open the connection as it lets it post.
    method: "POST",
    header: (name) => headerIn(req.headers, name),
    canSetCookie: () => false,
    setCookie: () => false,
    setHeader: () => undefined,
    keepPrivate: () => undefined,
    host: headerIn(req.headers, "host"),
    url: req.url ?? null,
    address: req.socket?.remoteAddress ?? null,
    disconnect: () => void res.close(comeBack, "The session's token was rotated: connect again"),
  };
}
