import type { AnyDefinition } from "../definition/definition.ts";
import type { Key } from "../definition/key.ts";
import type { Side } from "../definition/names.ts";

/** One awake … respond … sleep of a session: an HTTP request on the server, a wakeful spell of a tab in the browser. */
export interface Transaction {
  readonly side: Side;
  /** What woke the session: the tRPC paths or the URL's path on the server, or `open` for `sessions.open`; the event's name in the browser. */
  readonly reason: string;
}

/** What a session knows of itself besides its values. Times are epoch milliseconds. */
export interface SessionState {
  /** `null` until the first commit gives the session a record. */
  readonly identifier: string | null;
  readonly createdAt: number;
  readonly accessedAt: number;
  readonly transactions: number;
  readonly timeoutMs: number;
  readonly expiresAt: number;
}

/** What a session asks of the side that it is held on; an app never makes one. The browser's is the tab's memory. */
export interface BaseHome {
  readonly definition: AnyDefinition;
  readonly side: Side;
  /** Decoded values as this holder sees them now: the fast path of every read. Emptied for keys that change. */
  readonly decoded: ReadonlyMap<string, unknown>;
  state(): SessionState;
  now(): number;
  /** The decoded value, `undefined` when absent. Throws when the session has ended. */
  read(key: Key): unknown;
  /** The value as it rests, encoded; `null` when absent. */
  encoded(key: Key): string | null;
  /** The names of the present values. */
  names(): readonly string[];
  /** `once`: the value that goes was given out, and must not have been given to anybody else. */
  write(key: Key, encoded: string | null, once?: boolean): void;
  update(key: Key, change: (current: unknown) => unknown): unknown;
  isDirty(): boolean;
  setDirty(dirty: boolean): void;
  invalidate(): Promise<void>;
  awake(): void | Promise<void>;
  sleep(): Promise<void>;
  save(): Promise<void>;
}

/** How `login` treats the session at hand. */
export interface LoginOptions<Name extends string> {
  /** Ends it, and begins another; default: it stays the same session, with all its values. */
  readonly replace?: boolean;
  /** The values that the new session takes over; only with `replace`. Default: none. */
  readonly keep?: readonly Name[];
}

/** What `previous()` tells of the cookie that came with a request. */
export type Previous = "none" | "unknown" | "expired";

/** What a server's `Session` asks of the request that it is held by; an app never makes one. */
export interface SessionHome extends BaseHome {
  setTimeout(seconds: number): void;
  setPersistent(persistent: boolean): void;
  rotate(): void;
  login(subject: string, options?: LoginOptions<string>): void;
  subject(): string | null;
  authenticatedAt(): number | null;
  previous(): Previous;
  ticketUrl(url: string): Promise<string>;
}
