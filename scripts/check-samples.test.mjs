import { expect, test } from "vitest";
import { cutFrom } from "./check-samples.mjs";

const read = (/** @type {string} */ name) => (name === "examples/a/b.ts" ? "one\ntwo\nthree\n" : null);

test("a sample that names a file of examples/ has to stand in it, line for line", () => {
  expect(cutFrom("// examples/a/b.ts\none\ntwo\nthree\n", read)).toBeNull();
  expect(cutFrom("// examples/a/b.ts (part)\ntwo\nthree\n", read)).toBeNull();
  expect(cutFrom("// examples/a/b.ts (part)\none\nthree\n", read)).toContain("does not stand in examples/a/b.ts");
  expect(cutFrom("// examples/a/b.ts (part)\nne\ntwo\n", read)).toContain("does not stand in");
  expect(cutFrom("// examples/a/c.ts\none\n", read)).toBe("there is no examples/a/c.ts");
});

test("any other sample is no cutting", () => {
  expect(cutFrom("// server.ts: examples/a/b.ts\none\n", read)).toBeUndefined();
});
