// @vitest-environment happy-dom
import { createSessionClient } from "@catnap/client";
import { counter, defineSession, type SessionSnapshot } from "@catnap/shared";
import { act, cleanup, render, screen } from "@testing-library/react";
import { StrictMode, useEffect } from "react";
import { hydrateRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { createSessionHooks, SessionProvider, useSession, useSessionStatus, useSessionValue } from "./index.ts";

const shop = defineSession({
  shared: {
    theme: z.enum(["light", "dark"]).default("light"),
    lines: z.array(z.string()).default([]),
    visits: counter(),
  },
  readonly: { user: z.object({ name: z.string() }) },
});

declare module "./register.ts" {
  interface Register {
    definition: typeof shop;
  }
}

const nothing = { url: "/trpc", fetch: () => Promise.reject(new TypeError("Failed to fetch")) };
const createClient = (initialSnapshot?: SessionSnapshot) =>
  createSessionClient({
    definition: shop,
    http: nothing,
    ...(initialSnapshot ? { initialSnapshot } : {}),
    surroundings: { indexedDB: undefined, localStorage: undefined, channel: undefined, page: undefined },
  });
const snapshot: SessionSnapshot = {
  identifier: "i".repeat(22),
  rev: 4,
  entries: { theme: { value: '"dark"', rev: 3 }, user: { value: '{"name":"Ada"}', rev: 4 } },
  decided: {},
  facts: null,
};

function Theme({ onRender }: { onRender?: () => void }) {
  const [theme, setTheme] = useSessionValue("theme");
  onRender?.();
  return (
    <button type="button" onClick={() => setTheme(theme === "dark" ? "light" : "dark")}>
      {theme}
    </button>
  );
}
function Visits({ onRender }: { onRender?: () => void }) {
  const [visits, setVisits] = useSessionValue("visits");
  onRender?.();
  return (
    <button type="button" name="more" onClick={() => setVisits((n) => n + 1)}>
      {visits}
    </button>
  );
}
function Status() {
  const { state, pending } = useSessionStatus();
  return <p>{`${state} ${pending}`}</p>;
}

const buttons = () => screen.getAllByRole("button");

afterEach(cleanup);

test("a component shows the default, then what is set, and renders again only for its own key", () => {
  const client = createClient();
  const [theme, visits] = [vi.fn(), vi.fn()];
  render(
    <SessionProvider client={client}>
      <Theme onRender={theme} />
      <Visits onRender={visits} />
    </SessionProvider>,
  );
  expect(buttons()[0]!.textContent).toBe("light");
  const before = [theme.mock.calls.length, visits.mock.calls.length] as const;
  act(() => buttons()[0]!.click());
  expect(buttons()[0]!.textContent).toBe("dark");
  expect([theme.mock.calls.length, visits.mock.calls.length]).toEqual([before[0] + 1, before[1]]);
  act(() => buttons()[1]!.click());
  act(() => buttons()[1]!.click());
  expect(buttons()[1]!.textContent).toBe("2");
  expect(client.value("visits")).toBe(2);
  client.close();
});

test("a default that is an object is the same object at every render", () => {
  const client = createClient();
  const seen = new Set<unknown>();
  function Lines() {
    const [lines] = useSessionValue("lines");
    seen.add(lines);
    return null;
  }
  const view = render(<Lines />, {
    wrapper: ({ children }) => <SessionProvider client={client}>{children}</SessionProvider>,
  });
  view.rerender(<Lines />);
  expect(seen.size).toBe(1);
  client.close();
});

test("the server renders the snapshot, and hydration repeats it before it shows what is newer", async () => {
  const html = renderToString(
    <SessionProvider client={createClient(snapshot)}>
      <Theme />
      <Status />
    </SessionProvider>,
  );
  expect(html).toContain("dark");
  const container = document.createElement("div");
  container.innerHTML = html;
  document.body.append(container);
  const client = createClient();
  client.hydrate(snapshot);
  client.setValue("theme", "light"); // newer than what the server knew
  const errors: unknown[] = [];
  const shown: (string | null)[] = [container.textContent];
  new MutationObserver(() => shown.push(container.textContent)).observe(container, {
    subtree: true,
    characterData: true,
    childList: true,
  });
  await act(async () => {
    hydrateRoot(
      container,
      <SessionProvider client={client} initialSnapshot={snapshot}>
        <Theme />
        <Status />
      </SessionProvider>,
      { onRecoverableError: (error) => errors.push(error) },
    );
  });
  expect(errors).toEqual([]);
  expect(shown[0]).toBe("darkasleep 0");
  expect(container.querySelector("button")?.textContent).toBe("light");
  container.remove();
  client.close();
});

test("the status shows what waits", async () => {
  const client = createClient();
  render(
    <SessionProvider client={client}>
      <Status />
    </SessionProvider>,
  );
  act(() => client.setValue("theme", "dark"));
  expect(screen.getByRole("paragraph").textContent).toMatch(/ 1$/);
  client.close();
});

test("without a provider it says what is missing", () => {
  const quiet = vi.spyOn(console, "error").mockImplementation(() => {});
  function Lost() {
    useSession();
    return null;
  }
  expect(() => render(<Lost />)).toThrow("SessionProvider");
  quiet.mockRestore();
});

test("a provider without a client names the prop, by a SessionError", () => {
  const quiet = vi.spyOn(console, "error").mockImplementation(() => {});
  const none = undefined as unknown as ReturnType<typeof createClient>;
  expect(() => render(<SessionProvider client={none} />)).toThrow(
    expect.objectContaining({ code: "INVALID_OPTION", message: expect.stringContaining("needs client") }),
  );
  quiet.mockRestore();
});

test("a newer snapshot, as a server action or a navigation brings it, shows at once, and an older one does not", async () => {
  const client = createClient();
  const page = (shown: SessionSnapshot) => (
    <SessionProvider client={client} initialSnapshot={shown}>
      <Theme />
    </SessionProvider>
  );
  const newer = { ...snapshot, rev: 5, entries: { theme: { value: '"light"', rev: 5 } } };
  const view = render(page(snapshot));
  expect(buttons()[0]!.textContent).toBe("dark");
  view.rerender(page(newer));
  expect(buttons()[0]!.textContent).toBe("light");
  view.rerender(page(snapshot));
  expect(buttons()[0]!.textContent).toBe("light");
  client.close();
});

test("a snapshot of another session makes the client ask which one the browser has", async () => {
  const fetch = vi.fn(nothing.fetch);
  const client = createSessionClient({
    definition: shop,
    http: { ...nothing, fetch },
    surroundings: {
      ...{ indexedDB: undefined, localStorage: undefined, channel: undefined, page: undefined },
      random: () => 600, // a request that has failed is tried again in ten minutes
    },
  });
  const page = (shown: SessionSnapshot) => (
    <SessionProvider client={client} initialSnapshot={shown}>
      <Theme />
    </SessionProvider>
  );
  const view = render(page(snapshot));
  await act(async () => client.awake());
  const before = fetch.mock.calls.length;
  await act(async () => view.rerender(page({ ...snapshot })));
  expect(fetch.mock.calls.length).toBe(before);
  await act(async () => view.rerender(page({ ...snapshot, identifier: "j".repeat(22) })));
  expect(fetch.mock.calls.length).toBe(before + 1);
  expect(buttons()[0]!.textContent).toBe("dark");
  client.close();
});

test("an effect that closes the client when the app goes closes none that StrictMode has only tried out", async () => {
  const client = createClient();
  function App() {
    useEffect(() => () => client.close(), []);
    return <Status />;
  }
  await act(async () => {
    render(
      <StrictMode>
        <SessionProvider client={client}>
          <App />
        </SessionProvider>
      </StrictMode>,
    );
  });
  expect(screen.getByRole("paragraph").textContent).toBe("offline 0");
  await act(async () => client.setValue("theme", "dark"));
  expect(client.status()).toMatchObject({ pending: 1, storage: "memory" });
  client.close();
});

test("two definitions have a provider and hooks each, in one tree", () => {
  const forum = defineSession({ name: "forum", shared: { draft: z.string().default("none") } });
  const hooks = createSessionHooks<typeof forum>();
  const client = createClient();
  const second = createSessionClient({
    definition: forum,
    http: nothing,
    path: "forum",
    name: "forum",
    surroundings: { indexedDB: undefined, localStorage: undefined, channel: undefined, page: undefined },
  });
  function Draft() {
    const [draft, setDraft] = hooks.useSessionValue("draft");
    draft satisfies string;
    // @ts-expect-error a name of the other definition
    "theme" satisfies Parameters<typeof hooks.useSessionValue>[0];
    const { pending } = hooks.useSessionStatus();
    return (
      <button type="button" onClick={() => setDraft((now) => `${now}!`)}>
        {`${draft} ${pending}`}
      </button>
    );
  }
  render(
    <SessionProvider client={client}>
      <hooks.SessionProvider client={second}>
        <Theme />
        <Draft />
      </hooks.SessionProvider>
    </SessionProvider>,
  );
  act(() => buttons()[1]!.click());
  expect(buttons().map(({ textContent }) => textContent)).toEqual(["light", "none! 1"]);
  expect(second.value("draft")).toBe("none!");
  client.close();
  second.close();
});

test("types follow the registered definition", () => {
  function Typed() {
    const [theme, setTheme] = useSessionValue("theme");
    const [user, setUser] = useSessionValue("user");
    theme satisfies "light" | "dark";
    // @ts-expect-error it may be absent
    void (() => user.name);
    user?.name satisfies string | undefined;
    // @ts-expect-error a readonly value has no setter
    void (() => setUser({ name: "x" }));
    // @ts-expect-error not a theme
    void (() => setTheme("blue"));
    void (() => setTheme((now) => (now === "dark" ? "light" : "dark")));
    // @ts-expect-error no such value
    "nothing" satisfies Parameters<typeof useSessionValue>[0];
    return null;
  }
  const client = createClient();
  render(<Typed />, { wrapper: ({ children }) => <SessionProvider client={client}>{children}</SessionProvider> });
  client.close();
});
