import fc from "fast-check";
import { expect } from "vitest";

/** The fields of a session in Redis, as commits have written them. */
export const goodFields = {
  m: "abc12345 3 0 rs 3 0 0 lfls",
  u: "- =Ann",
  "=a": "1+1",
  "=b": "1 7 +11 profile/tab2",
  "~c": "2-",
};

const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom(...Object.values(goodFields), "7", "", " ", ":", "1 ", "1 7 +99 x"),
);
const mutated = (field: string) =>
  fc.oneof(
    text,
    fc
      .tuple(fc.nat(field.length), fc.nat(4), text)
      .map(([at, cut, put]) => field.slice(0, at) + put + field.slice(at + cut)),
    fc.nat(field.length).map((end) => field.slice(0, end)),
  );

/** Some of the fields, as a careless hand, a bad disk or another program leaves them. */
export const damagedFields: fc.Arbitrary<Partial<typeof goodFields>> = fc.record(
  {
    m: mutated(goodFields.m),
    u: mutated(goodFields.u),
    "=a": mutated(goodFields["=a"]),
    "=b": mutated(goodFields["=b"]),
    "~c": mutated(goodFields["~c"]),
  },
  { requiredKeys: [] },
);

/** Matches what is thrown for a session that cannot be read. */
export const unreadable = (identifier: string): unknown =>
  expect.objectContaining({
    name: "SessionError",
    code: "STORE_UNUSABLE",
    message: expect.stringContaining(`Session ${identifier} cannot be read`),
  });
