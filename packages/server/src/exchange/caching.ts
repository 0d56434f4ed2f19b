/**
 * What a response that depends on a session tells caches: do not keep it, and never give it to a request with other
 * cookies. `private` of the app's own choice is respected, since no shared cache may keep that either; anything weaker is
 * replaced.
 */
export function keptPrivate(cacheControl: string): string {
  return /(^|[\s,])(no-store|private)([\s,]|$)/i.test(cacheControl) ? cacheControl : "no-store";
}

/** The `Vary` header with `Cookie` in it. */
export function variedByCookie(vary: string): string {
  if (/(^|[\s,])(cookie|\*)([\s,]|$)/i.test(vary)) return vary;
  return vary === "" ? "Cookie" : `${vary}, Cookie`;
}

/** The response with what the session wants on it; a new one, since its own headers may be immutable. */
export function addHeaders(response: Response, ours: Headers): Response {
  const answer = new Response(response.body, response);
  const { headers } = answer;
  const cleared = ours.get("clear-site-data");
  if (cleared !== null) headers.set("clear-site-data", cleared);
  headers.set("cache-control", keptPrivate(headers.get("cache-control") ?? ""));
  headers.set("vary", variedByCookie(headers.get("vary") ?? ""));
  for (const cookie of ours.getSetCookie()) headers.append("set-cookie", cookie);
  return answer;
}
