import superjson from "superjson";
import { SessionError } from "./session-error.ts";

/**
 * Values travel and rest as strings. What JSON carries exactly is plain JSON; anything else (Date, Map, Set, BigInt,
 * `undefined` inside an object, NaN …) is superjson behind a mark that no JSON text starts with. superjson costs
 * about twelve times JSON, so it is the exception that pays, not every value.
 */
export const mark = "~";

/** Names that pollute prototypes; superjson, which the app's answers may go through, refuses to carry them. */
const poisonous = /^(__proto__|constructor|prototype)$/;

/** Deeper values are refused: recursion would otherwise be the client's to exhaust. */
const maxDepth = 64;

/** A walk over a value: for which key, and how many more items it may meet. */
interface Walk {
  readonly key: string | undefined;
  left: number;
}

/** As many items as the longest text on the wire has characters: each item of a value takes one at least. */
const mostItems = 16_777_216;

/**
 * Encodes a value. Throws `INVALID_VALUE` for what neither JSON nor superjson carries: functions, symbols, instances of an
 * app's classes, cycles. Throws `LIMIT_EXCEEDED` for more than `room` items: objects that are shared among a value's parts
 * count wherever they are met, since a few of them, well nested, are more than a server has time for.
 */
export function encode(value: unknown, key?: string, room: number = mostItems): string {
  if (isExactJson(value, 0, { key, left: room })) return JSON.stringify(value);
  try {
    return mark + superjson.stringify(value);
  } catch (cause) {
    throw refuse("what superjson refuses", key, cause);
  }
}

/** Decodes what `encode` made. Throws `INVALID_VALUE` for anything else. For a stranger's text see `untangle` of the server. */
export function decode(encoded: string, key?: string): unknown {
  try {
    return encoded.startsWith(mark) ? superjson.parse(encoded.slice(1)) : JSON.parse(encoded);
  } catch (cause) {
    throw new SessionError("INVALID_VALUE", `${subject(key)} is not text that Catnap encoded`, {
      ...{ key },
      cause,
    });
  }
}

/**
 * Throws, as `encode` would, for a value that a schema should not even be shown: what came off the wire may share its parts
 * a million times over, or claim a length that it does not have.
 */
export function assertPlain(value: unknown, key: string, room: number): void {
  isExactJson(value, 0, { key, left: room });
}

/** The length of a string in bytes of UTF-8, without encoding it. */
export function byteLength(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    // A surrogate pair is two units and four bytes; any other unit from U+0800 on is three.
    bytes += unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 1 : 2;
  }
  return bytes;
}

/** Whether `JSON.parse(JSON.stringify(value))` gives the same value back. Throws for what nothing carries. */
function isExactJson(value: unknown, depth: number, walk: Walk): boolean {
  if (--walk.left < 0) throw tooMany(walk.key);
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0);
    case "bigint":
    case "undefined":
      return false;
    case "object":
      return value === null || isExactObject(value, depth, walk);
    default:
      throw refuse(`a ${typeof value}`, walk.key);
  }
}

function isExactObject(value: object, depth: number, walk: Walk): boolean {
  if (depth >= maxDepth) throw refuse(`nested deeper than ${maxDepth} levels, or refers to itself`, walk.key);
  if (Array.isArray(value)) return every(value, depth, walk);
  if (value instanceof Map) {
    every([...value.keys(), ...value.values()], depth, walk);
    return false;
  }
  if (value instanceof Set) {
    every([...value], depth, walk);
    return false;
  }
  if (isScalarObject(value)) {
    walk.left -= (value as { length?: number }).length ?? 0; // a typed array's items
    if (walk.left < 0) throw tooMany(walk.key);
    return false;
  }
  const prototype = Object.getPrototypeOf(value) as object | null;
  // An object of another realm (a frame, a vm context) is plain when its prototype has no parent.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    throw refuse(`an instance of ${(prototype.constructor as { name?: string }).name ?? "a class"}`, walk.key);
  }
  let exact = true;
  for (const name of Object.keys(value)) {
    if (poisonous.test(name)) throw refuse(`an object with a property named ${name}`, walk.key);
    const exactProperty = isExactJson((value as Record<string, unknown>)[name], depth + 1, walk);
    exact = exact && exactProperty;
  }
  return exact && typeof (value as { toJSON?: unknown }).toJSON !== "function";
}

/** Looks at every item even after one is inexact, so that a later item that nothing carries is refused. */
function every(items: readonly unknown[], depth: number, walk: Walk): boolean {
  let exact = true;
  for (let i = 0; i < items.length; i++) {
    const exactItem = isExactJson(items[i], depth + 1, walk);
    exact = exact && exactItem;
  }
  return exact;
}

/** The built-in objects that superjson carries whole. */
function isScalarObject(value: object): boolean {
  const tag = Object.prototype.toString.call(value);
  return tag === "[object Date]" || tag === "[object RegExp]" || tag === "[object URL]" || ArrayBuffer.isView(value);
}

function refuse(what: string, key: string | undefined, cause?: unknown): SessionError {
  return new SessionError(
    "INVALID_VALUE",
    `${subject(key)} is or holds ${what}: use plain data (JSON, Date, Map, Set, BigInt)`,
    { key, cause },
  );
}

function tooMany(key: string | undefined): SessionError {
  const message = `${subject(key)} has too many items: split it, or raise the limit in defineSession`;
  return new SessionError("LIMIT_EXCEEDED", message, { key });
}

const subject = (key: string | undefined) => (key === undefined ? "The value" : `"${key}"`);
