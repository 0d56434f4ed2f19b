// @vitest-environment happy-dom
import { createSessionClient } from "@catnap/client";
import { defineSession, type SessionSnapshot } from "@catnap/shared";
import { act } from "@testing-library/react";
import { lazy, type ReactNode, Suspense } from "react";
import { flushSync } from "react-dom";
import { hydrateRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { createSessionHooks } from "./index.ts";

const shop = defineSession({ shared: { theme: z.enum(["light", "dark", "dim"]).default("light") } });
const { SessionProvider, useSessionStatus, useSessionValue } = createSessionHooks<typeof shop>();

const snapshot = (rev: number, theme: string): SessionSnapshot => ({
  identifier: "i".repeat(22),
  rev,
  entries: { theme: { value: JSON.stringify(theme), rev } },
  decided: {},
  facts: null,
});
const createClient = () =>
  createSessionClient({
    definition: shop,
    http: { url: "/trpc", fetch: () => Promise.reject(new TypeError("Failed to fetch")) },
    surroundings: { indexedDB: undefined, localStorage: undefined, channel: undefined, page: undefined },
  });

type Client = ReturnType<typeof createClient>;

function StatusPage({ children }: { children: ReactNode }) {
  const { state } = useSessionStatus();
  // An element of its own at each render: the boundary is rendered again with the status.
  return (
    <main title={state}>
      <Suspense fallback="wait">{[children]}</Suspense>
    </main>
  );
}
function ThemePage({ children }: { children: ReactNode }) {
  const [theme] = useSessionValue("theme");
  return (
    <main title={theme}>
      <Suspense fallback="wait">{[children]}</Suspense>
    </main>
  );
}

/** Hydrates what the server has rendered, while the code of the part below the page is still on its way. */
async function hydrate(Page: typeof StatusPage, before?: (client: Client) => void) {
  const Part = () => <p>part</p>;
  const client = createClient();
  const app = (part: ReactNode) => (
    <SessionProvider client={client} initialSnapshot={snapshot(1, "dark")}>
      <Page>{part}</Page>
    </SessionProvider>
  );
  const container = document.createElement("div");
  container.innerHTML = renderToString(app(<Part key="part" />));
  document.body.append(container);
  client.hydrate(snapshot(1, "dark"));
  before?.(client);
  let arrive = () => {};
  const Late = lazy(
    () =>
      new Promise<{ default: typeof Part }>((resolve) => {
        arrive = () => resolve({ default: Part });
      }),
  );
  const errors: unknown[] = [];
  const part = container.querySelector("p");
  await act(async () => {
    const root = hydrateRoot(container, app(<Late key="part" />), {
      onRecoverableError: (error) => errors.push(error),
    });
    onTestFinished(() => {
      act(() => root.unmount());
      client.close();
      container.remove();
    });
  });
  const shown = () => [container.textContent, container.querySelector("main")?.title];
  return { client, errors, part, shown, container, arrive: () => act(async () => arrive()) };
}

test("a status that changes leaves the server's HTML as it is, until the code of its part has arrived", async () => {
  const { client, errors, part, shown, container, arrive } = await hydrate(StatusPage);
  await act(async () => client.awake());
  expect(client.status().state).toBe("offline");
  expect(shown()[0]).toBe("part");
  await arrive();
  expect(shown()).toEqual(["part", "offline"]);
  expect(container.querySelector("p")).toBe(part);
  expect(errors).toEqual([]);
});

test("a value that changes elsewhere does so as well", async () => {
  const { client, errors, part, shown, container, arrive } = await hydrate(ThemePage);
  await act(async () => client.hydrate(snapshot(2, "dim")));
  expect(client.value("theme")).toBe("dim");
  expect(shown()[0]).toBe("part");
  await arrive();
  expect(shown()).toEqual(["part", "dim"]);
  expect(container.querySelector("p")).toBe(part);
  expect(errors).toEqual([]);
});

test("a value that was newer than the page before it was hydrated does so as well", async () => {
  const newer = (client: Client) => client.setValue("theme", "dim");
  const { errors, part, shown, container, arrive } = await hydrate(ThemePage, newer);
  expect(shown()[0]).toBe("part");
  await arrive();
  expect(shown()).toEqual(["part", "dim"]);
  expect(container.querySelector("p")).toBe(part);
  expect(errors).toEqual([]);
});

test("a value that this page writes shows at once, so that a field that is typed in keeps its caret", async () => {
  const { client, shown, arrive } = await hydrate(ThemePage);
  await arrive();
  flushSync(() => client.setValue("theme", "light"));
  expect(shown()).toEqual(["part", "light"]);
});
