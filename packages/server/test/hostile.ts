/** Values that a hostile client makes: encoded as they travel in a push, and what a server may say of them. */

const superjson = (json: unknown, meta: unknown) => `~${JSON.stringify({ json, meta })}`;

/** `depth` arrays of two, each of which is twice the next one: 2 to the power of `depth` items in a few hundred bytes. */
function laughs(depth: number): string {
  let json: unknown = { last: 1, again: null };
  const referentialEqualities: Record<string, string[]> = {};
  for (let i = 0; i < depth; i++) json = { first: json, second: null };
  for (let i = 0; i < depth; i++) {
    const path = "first.".repeat(i);
    referentialEqualities[`${path}first`] = [`${path}second`];
  }
  return superjson(json, { referentialEqualities });
}

const deep = (depth: number, open: string, close: string) => `${open.repeat(depth)}1${close.repeat(depth)}`;

export const bombs: Readonly<Record<string, string>> = {
  "a billion laughs": laughs(60),
  "an object that holds itself twice": superjson({ a: null, b: null }, { referentialEqualities: [["a", "b"]] }),
  "a cycle": superjson({ a: { b: null, c: null } }, { referentialEqualities: { a: ["a.b", "a.c"] } }),
  "one large array in every place of another": superjson(
    { big: Array.from({ length: 5_000 }, () => 1), all: Array.from({ length: 5_000 }, () => null) },
    { referentialEqualities: { big: Array.from({ length: 5_000 }, (_, i) => `all.${i}`) } },
  ),
  "four thousand references into a Set": superjson(
    { set: Array.from({ length: 13_000 }, (_, i) => i), of: {} },
    {
      values: { set: ["set"] },
      referentialEqualities: { of: Array.from({ length: 4_000 }, (_, i) => `set.${12_999 - i}`) },
    },
  ),
  "an array of four thousand million": superjson({ a: 1, b: [] }, { referentialEqualities: { a: ["b.4294967290"] } }),
  "a typed array that claims a length": superjson(2_000_000_000, { values: [["typed-array", "Uint8Array"]] }),
  "arrays 60,000 deep": deep(60_000, "[", "]"),
  "objects 20,000 deep": deep(20_000, '{"a":', "}"),
  "superjson 5,000 deep": `~{"json":${deep(5_000, "[", "]")}}`,
  "an own __proto__": '{"__proto__":{"polluted":true}}',
  "an own constructor": '{"constructor":{"prototype":{"polluted":true}}}',
  "a path to __proto__": superjson({ a: 1 }, { values: { "__proto__.polluted": ["Date"] } }),
  "a path to constructor": superjson({ a: 1 }, { referentialEqualities: { a: ["constructor.prototype.polluted"] } }),
  "an unknown class": superjson({}, { values: [["class", "Buffer"]] }),
  "an unknown custom type": superjson({}, { values: [["custom", "x"]] }),
  "an Error": superjson({ name: "TypeError", message: "m" }, { values: ["Error"] }),
  "a Map of nothing": superjson(5, { values: ["map"] }),
  "an invalid Date": superjson("never", { values: ["Date"] }),
  "a URL of nothing": superjson("://", { values: ["URL"] }),
  "half of JSON": '{"a":',
  "half of superjson": '~{"json":{',
  "an empty text": "",
  "no JSON at all": "undefined",
};
