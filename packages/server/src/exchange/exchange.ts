import type { Cookie } from "../identity/cookie.ts";

/** A request and its response, whatever the framework: all that a session wants of HTTP. */
export interface Exchange {
  /** The request's method in capitals; `null` when unknown. */
  readonly method: string | null;
  /** A request header by its lower-case name. */
  header(name: string): string | null;
  /** Whether the response can still take a cookie: its headers have not left, and there is a way to set them. */
  canSetCookie(): boolean;
  /** Sets a cookie; `false` when the response's headers have left, or there is no way to. */
  setCookie(cookie: Cookie): boolean;
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
  /** There is no request, and no browser that waits for an answer. */
  readonly unasked?: true;
  /** Why the framework refused to set the cookie. */
  readonly failure?: unknown;
  /** What the application has to put on its response; absent where it gets there without the application. */
  readonly headers?: Headers;
  /** Holds back what the application answers, where it answers by itself and not by what it returns. */
  hold?(): HeldAnswer;
  /** The request is a connection that brings one call after another, as a WebSocket does. This ends it. */
  disconnect?(): void;
}

/** An answer that waits for the session's commit. */
export interface HeldAnswer {
  /** Resolves when the application has begun to answer. */
  readonly answered: Promise<void>;
  readonly status: number;
  /** Sends what was held back, and holds nothing more. */
  release(): void;
  /** Drops what was held back, so that another answer can be given, and holds nothing more. */
  discard(): void;
}

/** The part of tRPC's `createContext` options that every adapter gives. */
export interface RequestInfo {
  readonly accept: string | null;
  readonly type: string;
  readonly isBatchCall: boolean;
  readonly calls: readonly { readonly path: string; procedure: unknown }[];
  readonly url: URL | null;
}
