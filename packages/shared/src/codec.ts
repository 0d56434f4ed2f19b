import superjson from "superjson";
import { refusal, type SessionError } from "./session-error.ts";

/**
 * Values travel and rest as strings. What JSON carries exactly is plain JSON; anything else (Date, Map, Set, BigInt,
 * `undefined` inside an object, NaN …) is superjson behind a mark that no JSON text starts with. superjson costs
 * about twelve times JSON, so it is the exception that pays, not every value.
 */
export const mark = "~";

/** Names that pollute prototypes; superjson, which the app's answers may go through, refuses to carry them. */
const poisonous = /^(__proto__|constructor|prototype)$/;

/** What errors call a value that is no key's, such as an item that a merge looks at. */
const nameless = "value";

/** Deeper values are refused: recursion would otherwise be the client's to exhaust. */
const maxDepth = 64;

/** A walk over a value: for which key, how many more items it may meet, and whether JSON has carried all so far. */
interface Walk {
  readonly key: string;
  left: number;
  exact: boolean;
}

/** As many items as the longest text on the wire has characters: each item of a value takes one at least. */
const mostItems = 16_777_216;

/**
 * Encodes a value. Throws `INVALID_VALUE` for what neither JSON nor superjson carries: functions, symbols, instances of an
 * app's classes, cycles. Throws `LIMIT_EXCEEDED` for more than `room` items: objects that are shared among a value's parts
 * count wherever they are met, since a few of them, well nested, are more than a server has time for.
 */
export function encode(value: unknown, key: string = nameless, room: number = mostItems): string {
  // Whether `JSON.parse(JSON.stringify(value))` gives the same value back.
  if (walked(value, key, room).exact) return JSON.stringify(value);
  try {
    return mark + superjson.stringify(value);
  } catch (cause) {
    throw unfit("what superjson refuses", key, cause);
  }
}

/** Decodes what `encode` made. Throws `INVALID_VALUE` for anything else. For a stranger's text see `untangle` of the server. */
export function decode(encoded: string, key: string = nameless): unknown {
  try {
    return encoded.startsWith(mark) ? superjson.parse(encoded.slice(1)) : JSON.parse(encoded);
  } catch (cause) {
    throw refusal("INVALID_VALUE", key, "is not text that Catnap encoded", { cause });
  }
}

/**
 * Throws, as `encode` would, for a value that a schema should not even be shown: what came off the wire may share its parts
 * a million times over, or claim a length that it does not have.
 */
export function assertPlain(value: unknown, key: string, room: number): void {
  walked(value, key, room);
}

/** The length of a string in bytes of UTF-8, without encoding it. */
export function byteLength(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // A surrogate pair is two units and four bytes; any other unit from U+0800 on is three.
    bytes += unit < 0x80 ? 0 : unit < 0x800 || unit >> 11 === 0x1b ? 1 : 2;
  }
  return bytes;
}

/** Throws for what nothing carries. */
function walked(value: unknown, key: string, left: number): Walk {
  const walk = { key, left, exact: true };
  look(value, 0, walk);
  return walk;
}

/** Looks at every item even after one is inexact, so that a later item that nothing carries is refused. */
function look(value: unknown, depth: number, walk: Walk): void {
  spend(1, walk);
  const type = typeof value;
  if (type === "object") {
    if (value !== null) lookInto(value as object, depth + 1, walk);
  } else if (type === "function" || type === "symbol") throw unfit(`a ${type}`, walk.key);
  // Any other number, BigInts and `undefined` are superjson's.
  else if (type !== "string" && type !== "boolean" && (!Number.isFinite(value) || Object.is(value, -0)))
    walk.exact = false;
}

function lookInto(value: object, depth: number, walk: Walk): void {
  if (depth > maxDepth) throw unfit(`nested deeper than ${maxDepth} levels, or refers to itself`, walk.key);
  if (Array.isArray(value)) {
    for (const item of value) look(item, depth, walk);
    return;
  }
  // What only superjson carries. An object of another realm (a frame, a vm context) is plain when its prototype has no parent.
  const prototype = Object.getPrototypeOf(value) as object | null;
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  if (!isPlain || typeof (value as { toJSON?: unknown }).toJSON === "function") walk.exact = false;
  if (isPlain) {
    for (const [name, item] of Object.entries(value)) {
      if (poisonous.test(name)) throw unfit(`an object with a property named ${name}`, walk.key);
      look(item, depth, walk);
    }
  } else if (value instanceof Map || value instanceof Set) {
    for (const item of value instanceof Map ? [...value].flat() : value) look(item, depth, walk);
  } else if (ArrayBuffer.isView(value) || / (Date|RegExp|URL)]$/.test(Object.prototype.toString.call(value))) {
    spend((value as { length?: number }).length ?? 0, walk); // a typed array's items
  } else throw unfit(`an instance of ${(prototype.constructor as { name?: string }).name ?? "a class"}`, walk.key);
}

function spend(items: number, walk: Walk): void {
  walk.left -= items;
  if (walk.left < 0)
    throw refusal("LIMIT_EXCEEDED", walk.key, "has too many items: split it, or raise the limit in defineSession");
}

function unfit(what: string, key: string, cause?: unknown): SessionError {
  const refused = `is or holds ${what}: use plain data (JSON, Date, Map, Set, BigInt)`;
  return refusal("INVALID_VALUE", key, refused, { cause });
}
