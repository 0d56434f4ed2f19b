import { type Answer, byteLength, type ChangesEvent, type ChangesInput, type Push, SessionError } from "@catnap/shared";
import type { Deserializer, HttpHeaders, HttpOptions, Serializer } from "./http-options.ts";

/** A request that has no answer by then, to its end, is given up, and made again later. */
const deadlineMs = 10_000;
/** Of the 64 KiB that a browser grants to all closing requests of a page together, what this one takes at most. */
const lastPushBytes = 49_152;

const plain = { serialize: (value: unknown) => value, deserialize: (value: never) => value };

/** Carries pushes to the server, those of a closing tab in the same way as all others, and the server's events back. */
export class Transport {
  /** The path of the session's router in the app's. */
  readonly path: string;
  /** Another way for a push, when there is one. */
  via: ((push: Push) => Promise<Answer> | undefined) | undefined;
  readonly #http: HttpOptions;
  /** How the URLs of the session's procedures begin. */
  readonly #base: string;
  readonly #input: Serializer;
  readonly #output: Deserializer;
  /** The latest that are known. */
  #headers: HttpHeaders | undefined;

  constructor(http: HttpOptions, path: string) {
    const { url, transformer = plain } = http;
    this.#http = http;
    this.path = path;
    this.#base = `${String(url).replace(/\/$/, "")}/${path}.`;
    [this.#input, this.#output] =
      "input" in transformer ? [transformer.input, transformer.output] : [transformer, transformer];
  }

  send(push: Push): Promise<Answer> {
    return this.via?.(push) ?? this.#call("sync", this.#written(push));
  }

  /** The push of a page that may be gone in a moment: synchronous up to the `fetch`, with the oldest ops that fit. `null`: none does. */
  sendLast(push: Push): { push: Push; answer: Promise<Answer> } | null {
    let { ops } = push;
    while (ops.length > 0) {
      const fitting = { ...push, ops, upTo: ops.at(-1)?.seq ?? 0 };
      const body = this.#written(fitting);
      const bytes = byteLength(body);
      if (bytes <= lastPushBytes) return { push: fitting, answer: this.#call("sync", body, true) };
      ops = ops.slice(0, Math.min(ops.length - 1, (ops.length * lastPushBytes) / bytes));
    }
    return null;
  }

  /**
   * Ends a session on the server, or the one that the browser has, unless it was made in the last `age` seconds; that it has
   * ended already is success.
   */
  invalidate(which: { readonly identifier: string } | { readonly age: number }): Promise<void> {
    return this.#call("invalidate", this.#written(which));
  }

  /** Opens a live stream. Gives what ends it; `ended` is told when it has ended by itself, and whether it was refused. */
  follow(input: ChangesInput, heard: (event: ChangesEvent) => void, ended: (refused: boolean) => void): () => void {
    const { EventSource = globalThis.EventSource, eventSourceOptions } = this.#http;
    const url = `${this.#base}changes?input=${encodeURIComponent(this.#written(input))}`;
    const source = new EventSource(url, eventSourceOptions);
    source.addEventListener("message", ({ data }) =>
      heard(this.#output.deserialize(JSON.parse(data) as never) as ChangesEvent),
    );
    // A stream that the server ends is an error, too. Left to itself, it knocks every three seconds, all tabs alike.
    // A browser tries again by itself what the network has cut, and closes what was answered with something else.
    source.addEventListener("error", () => ended(source.readyState === 2));
    return () => source.close();
  }

  #written(input: unknown): string {
    return JSON.stringify(this.#input.serialize(input));
  }

  /** Synchronous up to the `fetch` for the `last` push, and wherever the headers are no promise. */
  async #call<T>(procedure: string, body: string, last = false): Promise<T> {
    const { headers, fetch = globalThis.fetch } = this.#http;
    const given = typeof headers === "function" ? headers({ opList: [] } as never) : headers;
    this.#headers = given instanceof Promise ? (last ? this.#headers : await given) : given;
    const sent = new Headers(this.#headers as HeadersInit);
    sent.set("content-type", "application/json");
    const url = this.#base + procedure;
    // A megabyte has another two minutes, on a slow line.
    const signal = AbortSignal.timeout(deadlineMs + (body.length >> 3));
    const response = await fetch(url, { method: "POST", headers: sent, keepalive: last, body, signal });
    // Read to the end: the quota of closing requests is released only then.
    const text = await response.text();
    const { status } = response;
    let envelope: { readonly result?: { readonly data: unknown }; readonly error?: unknown } | undefined;
    let read: { readonly ok?: boolean; readonly message?: string } | undefined;
    try {
      envelope = JSON.parse(text) as NonNullable<typeof envelope>;
      // The app's own server speaks tRPC on this route: the answer is the procedure's, or an error of tRPC's shape.
      read = this.#output.deserialize(
        (envelope.result ? envelope.result.data : envelope.error) as never,
      ) as NonNullable<typeof read>;
      if (envelope.result && read.ok !== undefined) return read as T;
    } catch {
      // What cannot be read is told below.
    }
    // An error of tRPC's shape has the server's own words, which name the origin where that is not listed.
    const words = read?.message;
    let remedy = "check http.url and path";
    if (status === 401 || status === 403) remedy = words ?? "check http.headers";
    else if (words ? status !== 404 : /^(5|408|413|429)/.test(`${status}`)) remedy = "";
    else if (!words && (envelope?.result || envelope?.error)) remedy = "check http.transformer";
    const message = `${url} answered ${status}${remedy && `: ${remedy}`}`;
    throw Object.assign(new Error(message), words && read, { message, remedy, meta: { response } });
  }
}

/** Whether nothing that is pushed arrives anywhere: the session has ended, or the browser keeps no cookie of it. */
export const hasNoHome = (code: string): boolean => /^SESSION_|^NO_COOKIE/.test(code);

/** A server or proxy may say when to come back, but not that it is never. */
const longestMs = 3_600_000;

/** What a call that failed tells of its answer. */
interface Failed {
  readonly message?: string;
  /** What has to be mended. */
  readonly remedy?: string;
  readonly data?: { readonly httpStatus?: number };
  readonly meta?: {
    readonly response?: { readonly status?: number; readonly headers?: { get?(name: string): string | null } };
  };
}

/** The status of the answer to a call that failed; `undefined`: there was none. */
export function statusOf(error: unknown): number | undefined {
  const { data, meta } = error as Failed;
  return data?.httpStatus ?? meta?.response?.status;
}

/**
 * What a failed call means: the error for the app, whether its cause has to be mended by somebody, and after how many
 * milliseconds at least to try again; `null`: not by itself.
 */
export function failure(thrown: unknown): { error: SessionError; isProblem: boolean; retryMs: number | null } {
  const known = SessionError.from(thrown);
  const { meta, message, remedy } = thrown as Failed;
  const after = meta?.response?.headers?.get?.("retry-after") ?? "";
  // Seconds, or a date.
  const afterMs = Number(after) * 1000 || Date.parse(after) - Date.now();
  const isAway = !known || /STORE_UNAV|CONFLICT|NO_COOKIE/.test(known.code);
  const why = statusOf(thrown) === undefined ? "The server could not be reached" : message;
  return {
    error: known ?? new SessionError("UNREACHABLE", `${why}. It is tried again by itself`, { cause: thrown }),
    isProblem: known ? !/STORE_UNAV|CONFLICT|SESSION_/.test(known.code) : Boolean(remedy),
    retryMs: isAway ? Math.min(longestMs, Math.max(0, afterMs || 0)) : null,
  };
}
