import type { IncomingMessage, ServerResponse } from "node:http";
import { SessionError } from "@catnap/shared";
import onHeaders from "on-headers";
import { keptPrivate, variedByCookie } from "./caching.ts";

/** A request and its response, whatever the adapter: all that a session wants of HTTP. */
export interface Exchange {
  /** A request header by its lower-case name. */
  header(name: string): string | null;
  /** Whether the response can still take a cookie: its headers have not left, and there is a way to set them. */
  canSetCookie(): boolean;
  /** Adds a `Set-Cookie` header; `false` when the response's headers have left or there is no response. */
  setCookie(cookie: string): boolean;
  /** Sets another header of the response; does nothing once the headers have left. */
  setHeader(name: string, value: string): void;
  /** Tells caches that the response is this visitor's alone; does nothing once the headers have left. */
  keepPrivate(): void;
  /** The host that the request names, with its port: `Host`, or `:authority` over HTTP/2; `null` when it names none. */
  readonly host: string | null;
  /** The request's URL with its query, absolute or not; `null` when unknown. */
  readonly url: string | null;
  /** Who is at the other end of the connection; `null` when unknown. */
  readonly address: string | null;
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
  readonly req: Pick<IncomingMessage, "headers" | "url"> & {
    readonly socket?: { readonly remoteAddress?: string | undefined };
  };
  readonly res: Pick<ServerResponse, "setHeader" | "getHeader" | "headersSent" | "writeHead">;
  readonly info?: RequestInfo;
}

interface FastifyOptions {
  readonly req: {
    readonly headers: IncomingMessage["headers"];
    readonly url: string;
    readonly ip?: string | undefined;
  };
  readonly res: { header(name: string, value: string): unknown; readonly sent: boolean; readonly raw: unknown };
  readonly info?: RequestInfo;
}

interface PlainOptions {
  /** The request's headers. */
  readonly headers: Headers;
  /** Adds a `Set-Cookie` header to the response. Without it, what needs a cookie fails with `HEADERS_SENT`. */
  readonly setCookie?: (cookie: string) => void;
  /** Sets another header of the response. Without it, `Cache-Control` and `Vary` are left to the caller. */
  readonly setHeader?: (name: string, value: string) => void;
  readonly url?: string;
  readonly info?: RequestInfo;
}

/**
 * What `wake` takes: the options that tRPC's standalone, Express, Fastify or fetch adapter hands to `createContext`, as
 * they come, or, for anything else that has headers, `{ headers, setCookie }`.
 */
export type WakeOptions = FetchOptions | NodeOptions | FastifyOptions | PlainOptions;

/** Knows the adapter by the shape of what it hands over. */
export function exchangeOf(options: WakeOptions): Exchange {
  if ("resHeaders" in options) return ofFetch(options);
  if ("headers" in options) return ofPlain(options);
  if ("res" in options && typeof options.res === "object" && options.res !== null) {
    if ("raw" in options.res && typeof options.res.header === "function") return ofFastify(options as FastifyOptions);
    if ("writeHead" in options.res) return ofNode(options as NodeOptions);
  }
  throw new SessionError(
    "INVALID_OPTION",
    "wake knows tRPC's standalone, Express, Fastify and fetch adapters: pass it the options of createContext as they come, or { headers, setCookie }",
  );
}

function ofFetch({ req, resHeaders }: FetchOptions): Exchange {
  return {
    header: (name) => req.headers.get(name),
    canSetCookie: () => true,
    setCookie: (cookie) => {
      resHeaders.append("set-cookie", cookie);
      return true;
    },
    setHeader: (name, value) => resHeaders.set(name, value),
    keepPrivate: () => {
      // tRPC adds these to its own headers, after the app's responseMeta: it has the last word on this adapter alone.
      resHeaders.set("cache-control", keptPrivate(resHeaders.get("cache-control") ?? ""));
      resHeaders.set("vary", variedByCookie(resHeaders.get("vary") ?? ""));
    },
    host: hostOf(req.headers, req.url),
    url: req.url,
    address: null,
  };
}

function ofPlain({ headers, setCookie, setHeader, url }: PlainOptions): Exchange {
  return {
    header: (name) => headers.get(name),
    canSetCookie: () => setCookie !== undefined,
    setCookie: (cookie) => {
      setCookie?.(cookie);
      return setCookie !== undefined;
    },
    setHeader: (name, value) => setHeader?.(name, value),
    keepPrivate: () => {
      setHeader?.("cache-control", keptPrivate(""));
      setHeader?.("vary", variedByCookie(""));
    },
    host: hostOf(headers, url),
    url: url ?? null,
    address: null,
  };
}

/** A `Request` that a program has made has no `Host`, and names it in its URL. */
function hostOf(headers: Headers, url: string | undefined): string | null {
  return headers.get("host") ?? (url !== undefined && URL.canParse(url) ? new URL(url).host : null);
}

function ofFastify({ req, res }: FastifyOptions): Exchange {
  return {
    header: (name) => nodeHeader(req.headers, name),
    canSetCookie: () => !res.sent,
    setCookie: (cookie) => {
      if (res.sent) return false;
      res.header("set-cookie", cookie); // Fastify collects this one header instead of replacing it
      return true;
    },
    setHeader: (name, value) => void (res.sent || res.header(name, value)),
    keepPrivate: () => keepPrivateAtHead(res.raw as ServerResponse),
    host: nodeHeader(req.headers, "host") ?? nodeHeader(req.headers, ":authority"),
    url: req.url,
    address: req.ip ?? null,
  };
}

function ofNode({ req, res }: NodeOptions): Exchange {
  let cookies: string[] | null = null;
  return {
    header: (name) => nodeHeader(req.headers, name),
    canSetCookie: () => !res.headersSent,
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
    setHeader: (name, value) => void (res.headersSent || res.setHeader(name, value)),
    keepPrivate: () => keepPrivateAtHead(res as ServerResponse),
    host: nodeHeader(req.headers, "host") ?? nodeHeader(req.headers, ":authority"),
    url: req.url ?? null,
    address: req.socket?.remoteAddress ?? null,
  };
}

/** At the head itself, so that nothing that the app or tRPC sets meanwhile makes the response public. */
function keepPrivateAtHead(res: ServerResponse): void {
  if (res.headersSent) return;
  onHeaders(res, () => {
    res.setHeader("cache-control", keptPrivate(textOf(res.getHeader("cache-control"))));
    res.setHeader("vary", variedByCookie(textOf(res.getHeader("vary"))));
  });
}

const textOf = (header: number | string | string[] | undefined) =>
  Array.isArray(header) ? header.join(", ") : String(header ?? "");

function nodeHeader(headers: IncomingMessage["headers"], name: string): string | null {
  const value = headers[name];
  return Array.isArray(value) ? value.join(", ") : (value ?? null);
}
