/** Headers of requests, as tRPC's links take them. */
export type HttpHeaders = HeadersInit | { readonly [name: string]: string | string[] | undefined };

/** The half of a transformer that writes. */
export interface Serializer {
  serialize(value: unknown): unknown;
}

/** The half that reads. */
export interface Deserializer {
  deserialize(value: never): unknown;
}

/** The app's tRPC transformer: one for both ways, or one for each. */
export type Transformer = (Serializer & Deserializer) | { readonly input: Serializer; readonly output: Deserializer };

/** The parts of an `EventSource` that are used. */
export interface EventStream {
  /** 2: closed for good. Without it, a stream that is refused is not told from one that breaks off. */
  readonly readyState?: number;
  addEventListener(type: string, listener: (event: MessageEvent) => void): void;
  close(): void;
}

/**
 * How the app's tRPC is reached: the very object that its own `httpLink` or `httpBatchLink` gets. `EventSource` and
 * `eventSourceOptions` are those of `httpSubscriptionLink`, for the live stream.
 */
export interface HttpOptions {
  /** Where the app's router is served, such as `/trpc`. */
  readonly url: string | URL;
  readonly transformer?: Transformer;
  /**
   * Headers of every request, or what gives them: a function that is called with an empty `opList`, since what the session
   * sends is no operation of your client's. Those of a promise are not waited for when the page ends: the last push
   * has the latest ones that are known.
   */
  readonly headers?: HttpHeaders | ((call: never) => HttpHeaders | Promise<HttpHeaders>);
  /** Sends the requests. For an API on another origin: `(url, init) => fetch(url, { ...init, credentials: "include" })`. */
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
  readonly EventSource?: new (url: string, init?: EventSourceInit) => EventStream;
  /** For an API on another origin: `{ withCredentials: true }`. */
  readonly eventSourceOptions?: EventSourceInit;
}
