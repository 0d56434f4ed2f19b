import { keptPrivate, variedByCookie } from "./caching.ts";

// Servers replace the global `Request` and `Response` by lighter ones, and what `fetch` and `Response.redirect` give is of the
// other class then: they are known by what they have.

/** Whether it is a `Request`, of whichever class. */
export function isRequest(value: unknown): value is Request {
  const { clone, url, method } = (value ?? {}) as Partial<Request>;
  return typeof clone === "function" && typeof url === "string" && typeof method === "string";
}

/** Whether it is a `Response`, of whichever class. */
export function isResponse(value: unknown): value is Response {
  const { clone, status, headers } = (value ?? {}) as Partial<Response>;
  return typeof clone === "function" && typeof status === "number" && typeof headers?.getSetCookie === "function";
}

/**
 * The response with what the session wants on it: the same one, since a copy costs more than all else that the session does,
 * but a copy of one that is immutable, as those of `fetch` are, and, where a cookie goes on it, of one without a body. The app
 * may have that one as a constant, and the cookie would reach everybody.
 */
export function addHeaders(response: Response, ours: Headers): Response {
  const isPersonal = ours.has("set-cookie") || ours.has("clear-site-data");
  if (isPersonal && response.body === null) return put(ours, copyOf(response));
  try {
    return put(ours, response);
  } catch (error) {
    if (error instanceof TypeError) return put(ours, copyOf(response));
    throw error;
  }
}

const copyOf = (response: Response) => new Response(response.body, response);

function put(ours: Headers, response: Response): Response {
  const { headers } = response;
  headers.set("cache-control", keptPrivate(headers.get("cache-control") ?? ""));
  headers.set("vary", variedByCookie(headers.get("vary") ?? ""));
  const cleared = ours.get("clear-site-data");
  if (cleared !== null) headers.set("clear-site-data", cleared);
  for (const cookie of ours.getSetCookie()) headers.append("set-cookie", cookie);
  return response;
}
