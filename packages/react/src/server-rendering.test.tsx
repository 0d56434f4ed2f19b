import { createSessionClient } from "@catnap/client";
import { defineSession, type SessionSnapshot } from "@catnap/shared";
import { renderToString } from "react-dom/server";
import { expect, test } from "vitest";
import { z } from "zod";
import { createSessionHooks } from "./index.ts";

const shop = defineSession({ shared: { theme: z.enum(["light", "dark"]).default("light") } });
const { SessionProvider, useSession, useSessionValue } = createSessionHooks<typeof shop>();

const never = () => Promise.reject(new Error("a server has called the server"));
// As an app's module has it, which all requests share.
const client = createSessionClient({ definition: shop, http: { url: "/trpc", fetch: never } });

function Theme() {
  const [theme] = useSessionValue("theme");
  return `${theme}, ${useSession().value("theme")}`;
}
const render = (initialSnapshot: SessionSnapshot) =>
  renderToString(
    <SessionProvider client={client} initialSnapshot={initialSnapshot}>
      <Theme />
    </SessionProvider>,
  );
const snapshot = (who: string, rev: number, entries: SessionSnapshot["entries"]) => ({
  identifier: who.repeat(22),
  ...{ rev, entries, decided: {}, facts: null },
});

test("a server whose requests share a client shows each visitor their own state, and none of another's", () => {
  expect(render(snapshot("a", 4, { theme: { value: '"dark"', rev: 4 } }))).toBe("dark, dark");
  expect(render(snapshot("b", 1, {}))).toBe("light, light");
  expect(render({ identifier: null, rev: 0, entries: {}, decided: {}, facts: null })).toBe("light, light");
  expect(render(snapshot("c", 2, { theme: { value: '"dark"', rev: 2 } }))).toBe("dark, dark");
  expect(client.value("theme")).toBe("light");
});

test("a hook without a provider above says what is missing, by a SessionError", () => {
  expect(() => renderToString(<Theme />)).toThrow(
    expect.objectContaining({ code: "INVALID_OPTION", message: expect.stringContaining("SessionProvider") }),
  );
});
