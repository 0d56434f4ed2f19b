import type { IncomingMessage, ServerResponse } from "node:http";
import { serializeCookie } from "../identity/cookie.ts";
import type { Exchange, RequestInfo } from "./exchange.ts";
import { headerIn } from "./headers.ts";
import { NodeHead } from "./node-head.ts";

/** A request of Node's, as Express and Connect have it, too. */
export interface NodeRequest {
  readonly headers: IncomingMessage["headers"];
  readonly url?: string | undefined;
  readonly method?: string | undefined;
  /** What Express keeps of the URL where a router has cut it. */
  readonly originalUrl?: string | undefined;
  readonly socket?: { readonly remoteAddress?: string | undefined };
}

/** The request and response of Node's HTTP server, Express or Connect. */
export interface NodeSource {
  readonly req: NodeRequest;
  readonly res: Pick<ServerResponse, "setHeader" | "getHeader" | "headersSent" | "writeHead">;
  readonly info?: RequestInfo;
}

/** The request and reply of Fastify. */
export interface FastifySource {
  readonly req: NodeRequest & { readonly ip?: string | undefined };
  readonly res: { header(name: string, value: string): unknown; readonly sent: boolean; readonly raw: unknown };
  readonly info?: RequestInfo;
}

export function ofNode({ req, res }: NodeSource): Exchange {
  // A source is described by the few members that matter; what has these is a response of Node's.
  const head = new NodeHead(res as ServerResponse);
  return {
    method: methodOf(req),
    header: (name) => headerIn(req.headers, name),
    host: hostOf(req),
    url: urlOf(req),
    address: req.socket?.remoteAddress ?? null,
    canSetCookie: () => !res.headersSent,
    setCookie: (cookie) => {
      if (res.headersSent) return false;
      head.addCookie(serializeCookie(cookie));
      return true;
    },
    setHeader: (name, value) => void (res.headersSent || res.setHeader(name, value)),
    keepPrivate: () => head.keepPrivate(),
    hold: () => head.hold(),
  };
}

export function ofFastify({ req, res }: FastifySource): Exchange {
  const head = new NodeHead(res.raw as ServerResponse);
  return {
    method: methodOf(req),
    header: (name) => headerIn(req.headers, name),
    host: hostOf(req),
    url: urlOf(req),
    address: req.ip ?? null,
    canSetCookie: () => !res.sent,
    setCookie: (cookie) => {
      if (res.sent) return false;
      head.addCookie(serializeCookie(cookie));
      return true;
    },
    setHeader: (name, value) => void (res.sent || res.header(name, value)),
    keepPrivate: () => head.keepPrivate(),
    hold: () => head.hold(),
  };
}

// An exchange is one object literal, without a spread of what the two have in common: behind a spread with functions Node 20 makes a
// new hidden class for each object, which was a fifth of a request and more.

const methodOf = ({ method }: NodeRequest) => method?.toUpperCase() ?? null;
const hostOf = ({ headers }: NodeRequest) => headerIn(headers, "host") ?? headerIn(headers, ":authority");
const urlOf = ({ originalUrl, url }: NodeRequest) => originalUrl ?? url ?? null;
