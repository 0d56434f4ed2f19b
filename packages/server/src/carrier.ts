import type { IncomingMessage, ServerResponse } from "node:http";
import { SessionError } from "@catnap/shared";
import onHeaders from "on-headers";

/** A request and its response, whatever the adapter: all that a session wants of HTTP. */
export interface Carrier {
  /** A request header by its lower-case name. */
  header(name: string): string | null;
  /** Adds a `Set-Cookie` header; `false` when the response's headers have left or there is no response. */
  setCookie(cookie: string): boolean;
  /** The request's URL with its query, absolute or not; `null` when unknown. */
  readonly url: string | null;
}

/** The part of tRPC's `createContext` options that every adapter gives. */
export interface RequestInfo {
  readonly accept: string | null;
  readonly type: string;
  readonly isBatchCall: boolean;
  readonly calls: readonly { readonly path: string; procedure: unknown }[];
  readonly url: URL | null;
}

interface FetchOptions {
  readonly req: { readonly headers: Headers; readonly url: string };
  readonly resHeaders: Headers;
  readonly info?: RequestInfo;
}

interface NodeOptions {
  readonly req: Pick<IncomingMessage, "headers" | "url">;
  readonly res: Pick<ServerResponse, "setHeader" | "getHeader" | "headersSent" | "writeHead">;
  readonly info?: RequestInfo;
}

interface FastifyOptions {
  readonly req: { readonly headers: IncomingMessage["headers"]; readonly url: string };
  readonly res: { header(name: string, value: string): unknown; readonly sent: boolean; readonly raw: unknown };
  readonly info?: RequestInfo;
}

interface PlainOptions {
  /** The request's headers. */
  readonly headers: Headers;
  /** Adds a `Set-Cookie` header to the response. Without it, what needs a cookie fails with `HEADERS_SENT`. */
  readonly setCookie?: (cookie: string) => void;
  readonly url?: string;
  readonly info?: RequestInfo;
}

/**
 * What `wake` takes: the options that tRPC's standalone, Express, Fastify or fetch adapter hands to `createContext`, as
 * they come, or, for anything else that has headers, `{ headers, setCookie }`.
 */
export type WakeOptions = FetchOptions | NodeOptions | FastifyOptions | PlainOptions;

/** Knows the adapter by the shape of what it hands over. */
export function carry(options: WakeOptions): Carrier {
  if ("resHeaders" in options) return carryFetch(options);
  if ("headers" in options) return carryPlain(options);
  if ("res" in options && typeof options.res === "object" && options.res !== null) {
    if ("raw" in options.res && typeof options.res.header === "function")
      return carryFastify(options as FastifyOptions);
    if ("writeHead" in options.res) return carryNode(options as NodeOptions);
  }
  throw new SessionError(
    "INVALID_OPTION",
    "wake knows tRPC's standalone, Express, Fastify and fetch adapters: pass it the options of createContext as they come, or { headers, setCookie }",
  );
}

function carryFetch({ req, resHeaders }: FetchOptions): Carrier {
  return {
    header: (name) => req.headers.get(name),
    setCookie: (cookie) => {
      resHeaders.append("set-cookie", cookie);
      return true;
    },
    url: req.url,
  };
}

function carryPlain({ headers, setCookie, url }: PlainOptions): Carrier {
  return {
    header: (name) => headers.get(name),
    setCookie: (cookie) => {
      setCookie?.(cookie);
      return setCookie !== undefined;
    },
    url: url ?? null,
  };
}

function carryFastify({ req, res }: FastifyOptions): Carrier {
  return {
    header: (name) => nodeHeader(req.headers, name),
    setCookie: (cookie) => {
      if (res.sent) return false;
      res.header("set-cookie", cookie); // Fastify collects this one header instead of replacing it
      return true;
    },
    url: req.url,
  };
}

function carryNode({ req, res }: NodeOptions): Carrier {
  let cookies: string[] | null = null;
  return {
    header: (name) => nodeHeader(req.headers, name),
    setCookie: (cookie) => {
      if (res.headersSent) return false;
      if (cookies) cookies.push(cookie);
      else {
        const waiting = [cookie];
        cookies = waiting;
        // tRPC's Node adapter sets Set-Cookie anew when the app's responseMeta gives one, so ours wait for the head itself.
        onHeaders(res as ServerResponse, () => {
          const others = res.getHeader("set-cookie");
          res.setHeader("set-cookie", [
            ...(Array.isArray(others) ? others : others === undefined ? [] : [String(others)]),
            ...waiting,
          ]);
        });
      }
      return true;
    },
    url: req.url ?? null,
  };
}

function nodeHeader(headers: IncomingMessage["headers"], name: string): string | null {
  const value = headers[name];
  return Array.isArray(value) ? value.join(", ") : (value ?? null);
}
