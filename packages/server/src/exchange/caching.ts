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
