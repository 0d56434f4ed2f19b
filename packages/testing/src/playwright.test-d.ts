import type { Sessions } from "@catnap/server";
import { counter, defineSession } from "@catnap/shared";
import type { Locator } from "@playwright/test";
import { z } from "zod";
import { expect, sessionTest } from "./playwright.ts";

const definition = defineSession({
  shared: { cart: z.array(z.string()), purrs: counter() },
  readonly: { user: z.object({ id: z.string() }) },
  secret: { csrfSeed: z.string() },
});
type Shop = typeof definition;

declare const sessions: Sessions<Shop, "session">;
declare const field: Locator;

const test = sessionTest({ sessions });

test("the names and values of the definition, and no others", async ({ session }) => {
  await session.seed({ cart: ["tea"], purrs: 1, user: { id: "ann" }, csrfSeed: "secret" });
  // @ts-expect-error a mistyped name
  await session.seed({ crat: ["tea"] });
  // @ts-expect-error a number where the cart has texts
  await session.seed({ cart: [1] });

  const cart: string[] | undefined = await session.value("cart");
  // @ts-expect-error a mistyped name
  await session.value("crat");

  await expect(session).toHaveValue("cart", cart);
  await expect(session, "the cart went home").toHaveValue("cart", ["tea"], { timeout: 100 });
  await expect(session).not.toHaveValue("user", undefined);
  await expect.soft(session).toHaveValue("purrs", 1);
  await expect.configure({ timeout: 100 })(session).toHaveValue("csrfSeed", "secret");
  // @ts-expect-error a mistyped name
  await expect(session).toHaveValue("crat", ["tea"]);
  // @ts-expect-error a mistyped name
  await expect(session).not.toHaveValue("crat", ["tea"]);
  // @ts-expect-error a mistyped name
  await expect.soft(session).toHaveValue("crat", ["tea"]);
  // @ts-expect-error a text where the counter has a number
  await expect(session).toHaveValue("purrs", "1");
  // @ts-expect-error a session is no form field
  await expect(session).toHaveText("tea");
});

test("what else is expected, as Playwright has it", async ({ session }) => {
  await expect(field).toHaveValue("tea", { timeout: 100 });
  await expect(field).not.toHaveValue(/tea/);
  // @ts-expect-error a form field has no names
  await expect(field).toHaveValue("cart", ["tea"]);
  expect(await session.run((held) => held.subject())).toBe("ann");
  expect(JSON.parse("1")).toBe(1);
  await expect.poll(() => session.value("purrs")).toBeGreaterThan(1);
});

// @ts-expect-error sessions that are none
sessionTest({ sessions: {} });
// @ts-expect-error no sessions
sessionTest();
