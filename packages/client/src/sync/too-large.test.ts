import type { Push } from "@catnap/shared";
import { createTRPCClient, httpBatchLink } from "@trpc/client";
import superjson from "superjson";
import { expect, test } from "vitest";
import { optionsOf } from "../../test/linked.ts";
import { k, open, type Send, until } from "../../test/world.ts";
import { sessionLink } from "../index.ts";

const page = "<h1>413 Request Entity Too Large</h1>";
const error = { json: { message: "too large", code: -32_013, data: { code: "PAYLOAD_TOO_LARGE", httpStatus: 413 } } };

/** A proxy that refuses a body of more than so many bytes; and what it refused of the session's own, and let through. */
function proxy(limit: number, answer: (calls: number) => string = () => page) {
  const refused: Push[] = [];
  const passed: string[] = [];
  const through =
    (send: Send): Send =>
    async (url, init) => {
      const body = String(init.body ?? "");
      if (Buffer.byteLength(body) <= limit) {
        passed.push(body);
        return send(url, init);
      }
      if (!url.includes("batch")) refused.push(superjson.parse<Push>(body));
      return new Response(answer(url.split(",").length), { status: 413 });
    };
  return { refused, passed, through };
}

const opsOf = (body: string) => superjson.parse<Push>(body).ops;

test("a push carries at most 256 KiB of changes, and the rest comes in the ones that follow", async () => {
  const { world, browser } = open();
  const { session } = browser.tab();
  await session.awake();
  for (let i = 0; i < 10; i++) session.setValue(k(i), 'é"'.repeat(15_000));
  await session.sleep();
  const bodies = world.requests.map(({ body }) => body);
  for (const body of bodies) expect(Buffer.byteLength(body)).toBeLessThan(262_144 + 1_024);
  expect(bodies.flatMap(opsOf).map(({ key }) => key)).toEqual(Array.from({ length: 10 }, (_, i) => k(i)));
  expect(bodies.filter((body) => opsOf(body).length > 0).length).toBe(5);
  expect(Object.keys((await browser.server()).entries)).toHaveLength(10);
});

test("a push that is refused as too large goes in halves, and no later one of the page is larger", async () => {
  const { browser } = open();
  const { refused, passed, through } = proxy(100_000);
  const { session, conflicts } = browser.tab({ through });
  await session.awake();
  for (let i = 0; i < 8; i++) session.setValue(k(i), "x".repeat(25_000));
  await session.sleep();
  expect(Object.keys((await browser.server()).entries)).toHaveLength(8);
  const refusals = refused.length;
  expect(refusals).toBeLessThanOrEqual(2);
  for (let i = 0; i < 8; i++) session.setValue(k(i), "y".repeat(25_000));
  await session.sleep();
  expect(refused).toHaveLength(refusals);
  expect(passed.flatMap(opsOf).length).toBe(16);
  expect([session.status().pending, conflicts]).toEqual([0, []]);
});

test("a change that no request may carry is rejected alone, tells the remedy, and is never sent again", async () => {
  const { browser } = open();
  const { refused, through } = proxy(50_000);
  const first = browser.tab({ through });
  const sibling = browser.tab();
  await first.session.awake();
  await sibling.session.awake();
  first.session.setValue(k(1), "before");
  first.session.setValue(k(2), "x".repeat(60_000));
  first.session.setValue(k(3), "after");
  await until(() => sibling.session.hasValue(k(2)));
  await first.session.sleep();
  const rejected = {
    key: "k2",
    what: "rejected",
    mine: "x".repeat(60_000),
    code: "LIMIT_EXCEEDED",
    message: expect.stringContaining("body limit"),
  };
  await until(() => !sibling.session.hasValue(k(2)));
  expect([...first.conflicts, ...sibling.conflicts]).toEqual([rejected]);
  expect(first.session.values()).toEqual({ k1: "before", k3: "after" });
  expect(Object.keys((await browser.server()).entries)).toEqual(["k1", "k3"]);
  expect(first.session.status()).toMatchObject({ state: "synced", pending: 0 });
  await until(async () => ![...(await browser.rows()).keys()].some((name) => name.startsWith("op:")));
  const refusals = refused.length;
  first.session.setValue(k(3), "later");
  await first.session.sleep();
  first.kill();
  const { session, conflicts } = browser.tab({ through });
  await session.awake();
  expect(session.values()).toEqual({ k1: "before", k3: "later" });
  expect([refused.length, conflicts]).toEqual([refusals, []]);
});

test("what a page has left that no request may carry is rejected by the page that finds it", async () => {
  const { world, browser } = open();
  const first = browser.tab();
  await first.session.awake();
  first.session.setValue("theme", "dark");
  await first.session.sleep();
  world.fate = () => "lost";
  first.session.setValue(k(1), "x".repeat(60_000));
  first.session.setValue(k(2), "small");
  await until(async () => [...(await browser.rows()).keys()].filter((name) => name.startsWith("op:")).length === 2);
  first.kill();
  world.fate = () => "ok";
  const { through } = proxy(50_000);
  const { session, conflicts } = browser.tab({ through });
  await session.awake();
  expect(session.values()).toEqual({ theme: "dark", k2: "small" });
  expect(conflicts).toEqual([expect.objectContaining({ key: "k1", what: "rejected", code: "LIMIT_EXCEEDED" })]);
  await until(async () => ![...(await browser.rows()).keys()].some((name) => name.startsWith("op:")));
});

test.each([
  ["a page", () => page],
  ["an error of tRPC's", (calls: number) => JSON.stringify(Array(calls).fill({ error }))],
])("a change is not rejected for the size of a call that shared its request, refused by %s", async (_, answer) => {
  const { world, browser } = open();
  const { refused, through } = proxy(50_000, answer);
  const tab = browser.tab({ through });
  const { session, conflicts } = tab;
  await session.awake();
  const http = optionsOf({ fetch: through(tab.fetch as Send) as never });
  const api = createTRPCClient<typeof world.router>({ links: [sessionLink(session), httpBatchLink(http)] });
  session.setValue("note", "small");
  await expect(api.pin.mutate("p".repeat(60_000))).rejects.toThrow();
  await until(() => session.status().pending === 0);
  expect((await browser.server()).entries).toMatchObject({ note: { value: '"small"' } });
  session.setValue("note", "smaller");
  await api.pin.mutate("1234");
  expect([conflicts, refused, session.value("note"), session.value("pin")]).toEqual([[], [], "smaller", "1234"]);
});
