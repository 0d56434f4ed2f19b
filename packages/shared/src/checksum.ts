/**
 * A checksum of a session's values, in whatever order they come: 32 bits of FNV-1a of each name and encoded value, added
 * up. Browser and server compare what they hold by it. It tells an accident, not a forgery.
 */
export function checksum(values: Iterable<readonly [name: string, value: string]>): number {
  let sum = 0;
  for (const [name, value] of values) sum = (sum + mix(value, mix("=", mix(name, 0x811c9dc5)))) >>> 0;
  return sum;
}

function mix(text: string, hash: number): number {
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}
