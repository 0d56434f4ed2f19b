import { SessionError } from "@catnap/shared";
import { expect, test } from "vitest";

// biome-ignore lint/suspicious/noExplicitAny: what a caller without types may make of our types
export type Loose = any;

/** Each call is refused with a `SessionError` of that code, whose message matches. */
export function refuses(
  rows: readonly (readonly [what: string, call: () => unknown, code: string, message: RegExp])[],
): void {
  test.for(rows)("%s", async ([, act, code, message]) => {
    const thrown = await (async () => act())().then(
      () => "nothing was thrown",
      (error: unknown) => error,
    );
    expect(SessionError.from(thrown) ?? thrown).toMatchObject({ code, message: expect.stringMatching(message) });
  });
}
