/**
 * A checksum of a session's values, in whatever order they come: 32 bits of FNV-1a of each name and encoded value, added
 * up. Browser and server compare what they hold by it, where both have the same definition, whose fingerprint it begins
 * with. It tells an accident, not a forgery.
 */
export function checksum(
  { fingerprint }: { readonly fingerprint: string },
  values: Iterable<readonly [name: string, value: string]>,
): string {
  let sum = 0;
  for (const [name, value] of values) sum = (sum + fnv(value, fnv("=", fnv(name)))) >>> 0;
  return `${fingerprint}.${sum.toString(36)}`;
}

/** Whether two checksums are of different values of one definition. */
export function differ(one: string, other: string): boolean {
  return one !== other && one.split(".")[0] === other.split(".")[0];
}

/** FNV-1a, 32 bits with a sign; `hash` is that of what comes before. */
export function fnv(text: string, hash = 0x811c9dc5): number {
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}
