import { encode } from "../codec.ts";

/**
 * Joins two changes of one value: `base` is what both started from (`undefined` when there was nothing), `mine` is the
 * change that arrives, `theirs` what the home holds by now. Pure: it runs on the server on conflict, and in the
 * browser for the optimistic view, and must give the same answer on both.
 */
export type Merge<V> = (base: V | undefined, mine: V, theirs: V) => V;

type Fields = Record<string, unknown>;

const same = (a: unknown, b: unknown) => Object.is(a, b) || encode(a) === encode(b);

/** Three-way union of arrays or Sets: keeps what either side added, drops what either side removed; theirs come first. */
function union<V extends readonly unknown[] | ReadonlySet<unknown>>(base: V | undefined, mine: V, theirs: V): V {
  const among = (items: V | readonly never[] = []) => {
    const names = new Set([...items].map((item) => encode(item)));
    return (item: unknown) => names.has(encode(item));
  };
  const [before, ours, present] = [among(base), among(mine), among(theirs)];
  const items = [
    ...[...theirs].filter((item) => ours(item) || !before(item)),
    ...[...mine].filter((item) => !present(item) && !before(item)),
  ];
  // The two shapes that `V` admits; TypeScript cannot tie the result back to the one at hand.
  return (Array.isArray(theirs) ? items : new Set(items)) as unknown as V;
}

/** The larger of the two, for values that only grow: numbers, BigInts, Dates, strings. */
function max<V extends number | bigint | string | Date>(_base: V | undefined, mine: V, theirs: V): V {
  return mine > theirs ? mine : theirs;
}

/** Three-way merge of an object by its fields: a field that I changed is mine, any other is theirs. */
function fields<V extends object>(base: V | undefined, mine: V, theirs: V): V {
  const [from, ours, result] = [(base ?? {}) as Fields, mine as Fields, { ...theirs } as Fields];
  for (const name of new Set([...Object.keys(from), ...Object.keys(ours)])) {
    if (same(from[name], ours[name])) continue;
    if (Object.hasOwn(ours, name)) result[name] = ours[name];
    else delete result[name];
  }
  return result as V;
}

/**
 * Three-way merge of an array of objects that are told apart by their field `id`: lines of a cart, to-dos. Added lines
 * stay, removed lines go, and a line that both changed is merged by its fields. A line that one removed while the
 * other changed it stays changed: losing an edit is worse than keeping a line.
 */
function byId<K extends string>(
  id: K,
): <V extends readonly { readonly [P in K]: unknown }[]>(base: V | undefined, mine: V, theirs: V) => V {
  return <V extends readonly { readonly [P in K]: unknown }[]>(base: V | undefined, mine: V, theirs: V): V => {
    type Item = V[number];
    const index = (items: readonly Item[]) => new Map(items.map((item) => [encode(item[id]), item]));
    const [before, ours, present] = [index(base ?? []), index(mine), index(theirs)];
    const result: Item[] = [];
    for (const [name, item] of new Map([...present, ...ours])) {
      const [was, own, other] = [before.get(name), ours.get(name), present.get(name)];
      if (own && other) result.push(fields(was, own, other));
      // One that the other side has removed stays when this one has changed it.
      else if (!was || !same(was, item)) result.push(item);
    }
    return result as readonly Item[] as V;
  };
}

/** The built-in merges, for `value(schema, { merge })`. */
export const merge: {
  readonly union: typeof union;
  readonly max: typeof max;
  readonly fields: typeof fields;
  readonly byId: typeof byId;
} = { union, max, fields, byId };
