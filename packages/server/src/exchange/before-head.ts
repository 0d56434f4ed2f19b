import type { ServerResponse } from "node:http";

type WriteHead = (status: number, ...rest: unknown[]) => ServerResponse;

/**
 * Calls back once, as the head of a Node response leaves. Headers can be set until then, and those that the application hands
 * to `writeHead` are on the response already. Of several callbacks the one that came last is called first. Uses nothing of
 * `node:http`, which not every runtime has.
 */
export function beforeHead(response: ServerResponse, call: () => void): void {
  // `writeHead` is overloaded; each form begins with the status, and ends with the headers.
  const before = response.writeHead as WriteHead;
  let called = false;
  const writeHead: WriteHead = (status, ...rest) => {
    const reason = typeof rest[0] === "string" ? rest.slice(0, 1) : [];
    response.statusCode = status;
    setAll(response, rest[reason.length]);
    if (!called) {
      called = true;
      call();
    }
    return before.call(response, response.statusCode, ...reason);
  };
  Object.assign(response, { writeHead });
}

/** Sets what `writeHead` takes: an object, a list of pairs, or one of names and values in turn, where a name may come again. */
function setAll(response: ServerResponse, headers: unknown): void {
  if (!Array.isArray(headers)) {
    for (const [name, value] of Object.entries(headers ?? {})) response.setHeader(name, value);
    return;
  }
  const flat = Array.isArray(headers[0]) ? headers.flat() : headers;
  const names = flat.filter((_, i) => i % 2 === 0);
  for (const name of names) response.removeHeader(name);
  names.forEach((name, i) => void response.appendHeader(name, flat[2 * i + 1]));
}
