import { callable, invalid, shown } from "../option-checks.ts";
import type { Exchange, RequestInfo } from "./exchange.ts";
import { type FastifySource, type NodeSource, ofFastify, ofNode } from "./node.ts";
import { ofSocket, type SocketSource } from "./socket.ts";
import { type FetchSource, type LambdaSource, ofFetch, ofLambda, ofPlain, ofRequest, type PlainSource } from "./web.ts";

/**
 * What a place has of a request and its response, and `wake` takes:
 * - a `Request`; what the session wants of the response is then in `wake(request).headers`
 * - `{ req, res }` of Node, Express or Fastify
 * - what tRPC hands to `createContext`, over any of its adapters
 * - `{ headers, url, method, setCookie, setHeader }` of anything else, all but `headers` as far as it is there
 */
export type WakeSource = Request | FetchSource | NodeSource | FastifySource | SocketSource | LambdaSource | PlainSource;

/** Knows the place by the shape of what it hands over. Throws `INVALID_OPTION` where it does not. */
export function exchangeOf(source: WakeSource): Exchange {
  if (!isObject(source)) throw unknown(shown(source));
  if ("event" in source && isObject(source.event)) return ofLambda(source);
  if ("resHeaders" in source && "req" in source && isObject(source.req?.headers)) {
    if (typeof source.resHeaders?.append !== "function") throw invalid("wake: resHeaders is no Headers: pass one");
    return ofFetch(source);
  }
  if ("req" in source && "res" in source && isObject(source.res)) {
    const { res } = source;
    if (!isObject(source.req?.headers)) throw unknown("its req, which has no headers");
    // Told apart by what each has and the others lack; the union's members overlap for TypeScript.
    if ("raw" in res && "header" in res && typeof res.header === "function") return ofFastify(source as FastifySource);
    if ("writeHead" in res) return ofNode(source as NodeSource);
    if ("readyState" in res && "send" in res && typeof res.send === "function") return ofSocket(source as SocketSource);
  }
  if (isRequest(source)) return ofRequest(source);
  if ("then" in source) throw unknown("a promise: await it first");
  // A request of Node's alone has headers, too, but its answer leaves without the session's cookie.
  if ("rawHeaders" in source || "raw" in source) throw unknown("a request without its response");
  // A `Response` has headers, too, and they are not those of a request.
  if ("headers" in source && isObject(source.headers) && !("status" in source)) {
    checkPlain(source as PlainSource);
    return ofPlain(source as PlainSource);
  }
  throw unknown("this object");
}

/** Whether it is a `Request`, of whichever realm. */
export function isRequest(source: unknown): source is Request {
  if (!isObject(source)) return false;
  // Nothing is known of it but that it is an object.
  const { clone, url, method } = source as Partial<Request>;
  return typeof clone === "function" && typeof url === "string" && typeof method === "string";
}

/** The object that is the place's request: the same one in every source of one request, where the place has one. */
export const requestIn = (source: WakeSource): object => ("req" in source ? source.req : source);

/** What tRPC says of its request, where it is tRPC's. */
export function infoOf(source: WakeSource): RequestInfo | undefined {
  const info = "info" in source ? source.info : undefined;
  if (info === undefined || Array.isArray(info?.calls)) return info;
  throw invalid(`wake: info is ${shown(info)}: pass what tRPC hands to createContext, or leave it out`);
}

function checkPlain({ headers, url, method, setCookie, setHeader }: PlainSource): void {
  if ("then" in headers) throw invalid("wake: headers is a promise: await it, as in { headers: await headers() }");
  for (const [name, text] of Object.entries({ url, method })) {
    if (text !== undefined && typeof text !== "string")
      throw invalid(`wake: ${name} is ${shown(text)}: pass it as text`);
  }
  const setting = "(name, value, attributes) => jar.set(name, value, attributes)";
  if (setCookie !== undefined) callable("wake: setCookie", setCookie, setting);
  if (setHeader !== undefined) callable("wake: setHeader", setHeader, "(name, value) => headers.set(name, value)");
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

function unknown(what: string) {
  return invalid(
    `wake does not know ${what}: pass a Request, { req, res } of Node, Express or Fastify, what tRPC hands to createContext, or { headers, setCookie }`,
  );
}
