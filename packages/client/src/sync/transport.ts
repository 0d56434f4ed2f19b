import { type Answer, byteLength, type ChangesEvent, type ChangesInput, type Push, SessionError } from "@catnap/shared";

/** The `session` part of the app's own tRPC client, as far as it is called. */
export interface SessionProcedures {
  readonly sync: { mutate(input: Push): Promise<Answer> };
  readonly invalidate: { mutate(input: { identifier: string }): Promise<unknown> };
  /** Asked only for live updates. */
  readonly changes?: { subscribe(input: ChangesInput, listener: ChangesListener): { unsubscribe(): void } };
}

/** What tRPC's client calls back for a subscription. */
export interface ChangesListener {
  onData(event: { readonly data: ChangesEvent }): void;
  onError(error: unknown): void;
  onComplete(): void;
  onConnectionStateChange(change: { readonly state: string; readonly error?: unknown }): void;
}

/** The app's tRPC transformer. */
export interface Transformer {
  serialize(value: unknown): unknown;
  deserialize(value: never): unknown;
}

/** Of the 64 KiB that a browser grants to all closing requests of a page together, what this one takes at most. */
const lastPushBytes = 49_152;

/** Carries pushes to the server: through the app's tRPC client, or, for a closing tab, beside it. */
export class Transport {
  /** Where the session's procedures are served. */
  readonly url: string;
  /** Another way for a push, when there is one. */
  via: ((push: Push) => Promise<Answer> | undefined) | undefined;
  readonly #trpc: SessionProcedures;
  readonly #transformer: Transformer | undefined;
  readonly #fetch: typeof fetch;

  constructor(trpc: SessionProcedures, url: string, transformer: Transformer | undefined, fetcher: typeof fetch) {
    this.#trpc = trpc;
    this.url = url;
    this.#transformer = transformer;
    this.#fetch = fetcher;
  }

  /** A push through the app's links; straight when those stream, since a stream's headers leave before its cookie is known. */
  async send(push: Push): Promise<Answer> {
    const answer = await (this.via?.(push) ?? this.#trpc.sync.mutate(push));
    return !answer.ok && answer.code === "HEADERS_SENT"
      ? this.#direct<Answer>("sync", this.#body(push), false)
      : answer;
  }

  /** The push of a page that may be gone in a moment: synchronous up to the `fetch`, with the oldest ops that fit. `null`: none does. */
  sendLast(push: Push): { push: Push; answer: Promise<Answer> } | null {
    let { ops } = push;
    while (ops.length > 0) {
      const fitting = { ...push, ops, upTo: ops.at(-1)?.seq ?? 0 };
      const body = this.#body(fitting);
      const bytes = byteLength(body);
      if (bytes <= lastPushBytes) return { push: fitting, answer: this.#direct<Answer>("sync", body, true) };
      ops = ops.slice(0, Math.min(ops.length - 1, Math.floor((ops.length * lastPushBytes) / bytes)));
    }
    return null;
  }

  /** Ends a session on the server; that it has ended already is success. */
  async invalidate(identifier: string): Promise<void> {
    try {
      await this.#trpc.invalidate.mutate({ identifier });
    } catch (error) {
      // Over a link that streams the cookie cannot be taken back: then straight. Anything else is tried again later.
      const status = (error as { data?: { httpStatus?: number } | null }).data?.httpStatus;
      if (status !== 412) throw error;
      await this.#direct("invalidate", this.#body({ identifier }), true);
    }
  }

  #body(input: Push | { readonly identifier: string }): string {
    return JSON.stringify(this.#transformer ? this.#transformer.serialize(input) : input);
  }

  async #direct<T>(procedure: string, body: string, keepalive: boolean): Promise<T> {
    const response = await this.#fetch(`${this.url}.${procedure}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      credentials: "same-origin",
      keepalive,
      body,
    });
    // Read to the end: the quota of closing requests is released only then.
    const text = await response.text();
    let refused: unknown;
    try {
      const { result, error } = JSON.parse(text) as { result?: { data: never }; error?: never };
      // The app's own server speaks tRPC on this route: the answer is the procedure's, or an error of tRPC's shape.
      const read = (data: never) => (this.#transformer ? this.#transformer.deserialize(data) : data);
      if (result) return read(result.data) as T;
      refused = read(error as never);
    } catch (cause) {
      refused = { cause };
    }
    throw Object.assign(new Error("no tRPC"), refused, { meta: { response } });
  }
}

/** What a failed call means: the error for the app, and after how many milliseconds at least to try again; `null`: not by itself. */
export function failure(error: unknown): { error: SessionError; retryMs: number | null } {
  const known = SessionError.from(error);
  const { data, meta } = error as {
    data?: { httpStatus?: number };
    meta?: { response?: { status?: number; headers?: { get?(name: string): string | null } } };
  };
  const status = data?.httpStatus ?? meta?.response?.status;
  const retryable = known
    ? known.code === "STORE_UNAVAILABLE" || known.code === "CONFLICT"
    : status === undefined || status >= 500 || status === 429 || status === 408;
  const after = meta?.response?.headers?.get?.("retry-after") ?? "";
  // Seconds, or a date.
  const afterMs = Number(after) * 1000 || Date.parse(after) - Date.now();
  const why = status === undefined ? "could not be reached" : `answered ${status}`;
  return {
    error:
      known ?? new SessionError("UNREACHABLE", `The server ${why}: changes are kept and sent later`, { cause: error }),
    retryMs: retryable ? Math.max(0, afterMs || 0) : null,
  };
}
