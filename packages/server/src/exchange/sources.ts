import { invalid } from "../option-checks.ts";
import type { Exchange } from "./exchange.ts";
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
  if (typeof source !== "object" || source === null) throw unknownSource();
  if ("event" in source && isObject(source.event)) return ofLambda(source);
  if ("resHeaders" in source && "req" in source && isObject(source.req?.headers)) return ofFetch(source);
  if ("req" in source && "res" in source && isObject(source.res)) {
    const { res } = source;
    if (!isObject(source.req?.headers)) throw unknownSource();
    // Told apart by what each has and the others lack; the union's members overlap for TypeScript.
    if ("raw" in res && "header" in res && typeof res.header === "function") return ofFastify(source as FastifySource);
    if ("writeHead" in res) return ofNode(source as NodeSource);
    if ("readyState" in res && "send" in res && typeof res.send === "function") return ofSocket(source as SocketSource);
  }
  if ("clone" in source && typeof source.clone === "function" && "url" in source) return ofRequest(source);
  // A request of Node's alone has headers, too, but its answer leaves without the session's cookie.
  const isRequestAlone = "rawHeaders" in source || "raw" in source;
  if (!isRequestAlone && "headers" in source && isObject(source.headers)) return ofPlain(source as PlainSource);
  throw unknownSource();
}

const isObject = (value: unknown) => typeof value === "object" && value !== null;

function unknownSource() {
  return invalid(
    "wake does not know this request: pass a Request, { req, res } of Node, Express or Fastify, what tRPC hands to createContext, or { headers, setCookie }",
  );
}
