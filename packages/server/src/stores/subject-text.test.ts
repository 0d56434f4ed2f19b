import { expect, test } from "vitest";
import { assertSubjectText } from "./subject-text.ts";

test.for(["", "a", "é🐈", "\u0001", "\ufffd", "x".repeat(10_000)])("%s may be a subject", (subject) => {
  assertSubjectText(subject);
});

test.for(["a\0", "\ud800", "a\udc00b", 5, null, undefined, ["a"], { toString: () => "a" }, Object.create(null)])(
  "what no database keeps as it is is refused: %#",
  (subject) => {
    // What a caller without types may pass.
    expect(() => assertSubjectText(subject as string)).toThrow(
      expect.objectContaining({ code: "INVALID_OPTION", message: expect.stringContaining("must be well-formed text") }),
    );
  },
);
