import superjson from "superjson";
import { expect, test, vi } from "vitest";
import { createWorld, shop } from "../test/world.ts";
import { createSessionClient } from "./index.ts";

// Cloudflare's Workers forbid both while a module is loaded. `npm run examples` tries it there.
test("where a module may not be random, nor make an AbortController, it makes a session that shows what it is told to and can send nothing", async () => {
  const { browser } = createWorld();
  const { fetch } = browser().tab();
  const http = { url: "https://shop.test/trpc", transformer: superjson, fetch };
  const options = { definition: shop, http };
  const disallowed = () => {
    throw new Error("Disallowed operation called within global scope");
  };
  const forbidden = vi.spyOn(crypto, "getRandomValues").mockImplementation(disallowed);
  vi.stubGlobal("AbortController", disallowed);
  const session = createSessionClient(options);
  expect(forbidden).toHaveBeenCalled();
  forbidden.mockRestore();
  vi.unstubAllGlobals();

  const state = { identifier: "a".repeat(22), rev: 1, decided: {}, facts: null };
  const shown = session.showing({ ...state, entries: { theme: { value: '"dark"', rev: 1 } } });
  expect([session.value("theme"), shown.value("theme")]).toEqual(["light", "dark"]);
  // A session without ids would be taken for any other one.
  session.setValue("theme", "dark");
  await expect(session.sleep()).rejects.toMatchObject({ code: "BAD_PUSH" });
});
