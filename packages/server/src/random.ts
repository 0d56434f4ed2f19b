import { randomFillSync } from "node:crypto";

/** So many bytes are drawn at once: a draw takes some 8 µs, of however many, which is more than the rest of a token. */
const size = 1_024;
/** Older ones are not given: machines that start from one image of a server's memory would give the same. */
const longestMs = 1_000;

const drawn: Buffer = Buffer.alloc(size);
let drawnAt = 0;
let given = size;

/** So many random bytes of the operating system's, at most 1,024, as base64url. They are wiped here as they are given. */
export function randomText(bytes: number): string {
  const now = Date.now();
  if (given + bytes > size || Math.abs(now - drawnAt) > longestMs) {
    randomFillSync(drawn);
    drawnAt = now;
    given = 0;
  }
  const end = given + bytes;
  const text = drawn.toString("base64url", given, end);
  drawn.fill(0, given, end);
  given = end;
  return text;
}
