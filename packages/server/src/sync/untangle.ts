import { assertPlain, mark, SessionError } from "@catnap/shared";
import superjson, { type SuperJSONResult } from "superjson";

/**
 * Decodes what a browser sent, at a price that is linear in its length. The length is looked at first, then the shape,
 * before any schema sees the value. Throws `LIMIT_EXCEEDED` for a text of more than `room` characters, `INVALID_VALUE` for
 * one that `encode` never makes.
 *
 * The library's own `parse` would not do for a text of a stranger's: it walks from the root to each annotated place, and
 * through a Set or Map by counting its items, so that a text of 120,000 characters keeps it busy for seconds.
 */
export function untangle(encoded: string, key: string, room: number): unknown {
  if (encoded.length > room) {
    throw new SessionError("LIMIT_EXCEEDED", `"${key}" takes more than limits.valueBytes (${room})`, { key });
  }
  let value: unknown;
  try {
    value = encoded.startsWith(mark) ? revive(encoded.slice(mark.length)) : JSON.parse(encoded);
  } catch (cause) {
    throw new SessionError("INVALID_VALUE", `"${key}" is not text that Catnap encoded`, { key, cause });
  }
  // JSON has any depth: a recursive schema would exhaust the stack.
  assertPlain(value, key, room);
  return value;
}

type Holder = Record<string, unknown>;

/** What a value, and by path the values inside it, stand for. */
type Annotations = readonly [type: unknown, inside?: Inside] | Inside;
interface Inside {
  readonly [path: string]: Annotations;
}

function revive(text: string): unknown {
  const { json, meta } = JSON.parse(text) as SuperJSONResult;
  const root: Holder = { value: json };
  // What the text says of itself is a stranger's; `annotate` looks at every part of it.
  if (meta?.values !== undefined) annotate(root, "value", meta.values as Annotations, 0);
  return root.value;
}

/** `encode` refuses deeper values. */
const maxDepth = 64;

/**
 * Makes what is inside before what is around it, as the annotations have it: a path that leads into a Set or Map, by whatever
 * name, leads nowhere, so that no place is searched for.
 */
function annotate(holder: Holder, name: string, annotations: Annotations, depth: number): void {
  if (depth > maxDepth || typeof annotations !== "object" || annotations === null) throw new TypeError("no annotation");
  // TypeScript does not tell a readonly list from an object by `isArray`.
  const [type, inside] = (Array.isArray(annotations) ? annotations : [undefined, annotations]) as [unknown, Inside?];
  for (const [path, inner] of Object.entries(inside ?? {})) {
    let [at, last] = [holder, name];
    for (const segment of segmentsOf(path)) {
      at = own(at, last) as Holder;
      last = segment;
    }
    annotate(at, last, inner, depth + 1);
  }
  const value = own(holder, name);
  if (type !== undefined) holder[name] = transform(value, type);
}

/** A property of plain JSON; a name of the prototype's, or an index in another spelling, is none. */
function own(at: unknown, name: string): unknown {
  if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) throw new TypeError("no such place");
  return (at as Holder)[name];
}

/** A dot parts segments, a backslash stands before a dot or a backslash that does not. */
function segmentsOf(path: string): string[] {
  const segments: string[] = [];
  let segment = "";
  for (let i = 0; i < path.length; i++) {
    if (path[i] === ".") {
      segments.push(segment);
      segment = "";
    } else segment += path[i] === "\\" ? (path[++i] ?? "") : path[i];
  }
  return [...segments, segment];
}

const scalars: readonly unknown[] = ["Date", "bigint", "undefined", "number", "regexp", "URL"];

/** Leaves each type to the library, at the root of what it is given, which takes no walk. */
function transform(value: unknown, type: unknown): unknown {
  const collection = type === "set" || type === "map" || (Array.isArray(type) && type[0] === "typed-array");
  if (collection ? !Array.isArray(value) : !scalars.includes(type))
    throw new TypeError("no type of a session's values");
  // The line above has seen that it is one of the library's own annotations.
  const values = [type] as unknown as NonNullable<Parameters<typeof superjson.deserialize>[0]["meta"]>["values"];
  return superjson.deserialize({ json: value as never, meta: { values, v: 1 } }, { inPlace: true });
}
