/**
 * A checksum of a session's values, in whatever order they come: what each adds to the `sum`. Browser and server compare what
 * they hold by it, where both have the same definition, whose fingerprint it begins with. It tells an accident, not a forgery.
 */
export function checksum({ fingerprint }: { readonly fingerprint: string }, sum: number): string {
  return `${fingerprint}.${(sum >>> 0).toString(36)}`;
}

/** What an encoded value adds to the sum: FNV-1a of its name and it; nothing where there is none. */
export function valueSum(name: string, value: string | null | undefined): number {
  return value == null ? 0 : fnv(value, fnv("=", fnv(name)));
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
