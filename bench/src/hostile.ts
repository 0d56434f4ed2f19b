/** What attackers send, and honest requests of the same length: bodies of `session.sync`, for a session and a count. */

interface Op {
  readonly seq: number;
  readonly key: string;
  readonly value: string | null;
  readonly base: number;
  readonly from?: string | null;
}

const push = (identifier: string, n: number, ops: readonly Op[]) => ({
  protocol: 5,
  identifier,
  profile: "profile-1",
  writer: `writer-${n}`,
  ops,
  upTo: ops.at(-1)?.seq ?? 0,
  since: Number.MAX_SAFE_INTEGER,
  acked: 0,
});

const line = (i: number, padding: number) => ({ sku: `${i}`.padEnd(padding, "x"), count: 1 });
const marked = (json: unknown, meta: unknown) => `~${JSON.stringify({ json, meta })}`;

/** The largest cart that a session takes. */
export const largeCart = (identifier: string) =>
  push(identifier, 0, [
    {
      seq: 1,
      key: "cart",
      value: JSON.stringify(Array.from({ length: 2_400 }, (_, i) => line(i, 20))),
      base: 0,
      from: null,
    },
  ]);

function laughs(): string {
  let json: unknown = { last: 1, again: null };
  const referentialEqualities: Record<string, string[]> = {};
  for (let i = 0; i < 60; i++) json = { first: json, second: null };
  for (let i = 0; i < 60; i++) referentialEqualities[`${"first.".repeat(i)}first`] = [`${"first.".repeat(i)}second`];
  return marked(json, { referentialEqualities });
}

const one = (identifier: string, n: number, key: string, value: string) =>
  push(identifier, n, [{ seq: 1, key, value, base: 0 }]);

/** By name, what attackers try. */
export const attacks: Readonly<Record<string, (identifier: string, n: number) => unknown>> = {
  "1,000 changes, each to be merged with a large cart": (identifier, n) =>
    push(
      identifier,
      n,
      Array.from({ length: 1_000 }, (_, i) => ({
        seq: i + 1,
        key: "cart",
        value: JSON.stringify([line(i, 4)]),
        base: 0,
        from: JSON.stringify([line(i + 1, 5)]),
      })),
    ),
  "4,000 references into a Set": (identifier, n) =>
    one(
      identifier,
      n,
      "theme",
      marked(
        { set: Array.from({ length: 13_000 }, (_, i) => i), of: {} },
        {
          values: { set: ["set"] },
          referentialEqualities: { of: Array.from({ length: 4_000 }, (_, i) => `set.${12_999 - i}`) },
        },
      ),
    ),
  "a billion laughs": (identifier, n) => one(identifier, n, "anything", laughs()),
  "20,000 levels": (identifier, n) => one(identifier, n, "anything", `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`),
  "1,000 ops of a key that is not theirs": (identifier, n) =>
    push(
      identifier,
      n,
      Array.from({ length: 1_000 }, (_, i) => ({ seq: i + 1, key: "user", value: '"admin"', base: 0 })),
    ),
};

/** A push of about so many bytes, as an honest browser sends it. */
export function honest(identifier: string, n: number, bytes: number): unknown {
  const lines = Array.from({ length: Math.max(1, Math.floor(bytes / 33)) }, (_, i) => line(i + n, 8));
  return one(identifier, n, "anything", JSON.stringify(lines));
}
