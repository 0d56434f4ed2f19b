import { expect, test } from "vitest";
import { open, until } from "../test/world.ts";

/** A page with a session, and what another one of the same server renders. */
async function twoSessions() {
  const { world, browser } = open();
  const other = world.browser();
  for (const [{ tab }, note] of [
    [browser, "first"],
    [other, "second"],
  ] as const) {
    const { session } = tab({ name: note });
    session.setValue("note", note);
    await session.awake();
    await session.sleep();
    session.close();
  }
  const page = browser.tab({ idle: 1000 });
  await page.session.awake();
  expect(page.session.value("note")).toBe("first");
  return { world, browser, other, ...page };
}

test("a snapshot of another session, which the server has answered an action with, shows that one without a focus", async () => {
  const { browser, other, session } = await twoSessions();
  browser.jar.cookie = other.jar.cookie;
  const snapshot = await browser.server();
  session.hydrate(snapshot);
  await until(() => session.value("note", "") === "second");
  expect(session.identifier()).toBe(snapshot.identifier);
});

test("a snapshot of another session, which an old page bears, does not show: the server is asked", async () => {
  const { world, other, session } = await twoSessions();
  const identifier = session.identifier();
  const seen = new Set<unknown>();
  session.subscribe("note", () => seen.add(session.value("note", null)));
  const from = world.requests.length;
  session.hydrate(await other.server());
  await until(() => world.requests.length > from && session.status().state === "synced");
  expect([session.identifier(), session.value("note"), ...seen]).toEqual([identifier, "first"]);
  expect(world.requests).toHaveLength(from + 1);
});

test("a snapshot without a session, after a server action has ended it, ends it here", async () => {
  const { world, browser, session, expired } = await twoSessions();
  session.setValue("note", "unsent");
  await world.sessions.revoke(session.identifier());
  session.hydrate({ identifier: null, rev: 0, entries: {}, decided: {}, facts: null });
  await until(() => !session.hasValue("note"));
  expect(expired).toMatchObject([{ unsent: [{ key: "note", value: "unsent" }] }]);
  expect(browser.jar.cookie).not.toBe("");
});

test("a snapshot of the session at hand asks the server nothing, whether it is newer or not", async () => {
  const { world, browser, session } = await twoSessions();
  const from = world.requests.length;
  const snapshot = await browser.server();
  session.hydrate({
    ...snapshot,
    rev: snapshot.rev + 1,
    entries: { note: { value: '"newer"', rev: snapshot.rev + 1 } },
  });
  expect(session.value("note")).toBe("newer");
  session.hydrate(snapshot);
  expect(session.value("note")).toBe("newer");
  await session.sleep();
  expect(world.requests).toHaveLength(from);
});

test("what was rendered first is what hydration shows, whatever snapshots come later", async () => {
  const { browser, other } = await twoSessions();
  const snapshot = await browser.server();
  const { session } = browser.tab({ name: "fresh", initialSnapshot: snapshot });
  session.hydrate(await other.server());
  expect(session.initial("note")).toBe("first");
});

test("hydration repeats what was rendered before a logout had arrived, and then nothing of it shows", async () => {
  const { browser, session: tab } = await twoSessions();
  const snapshot = await browser.server();
  await tab.invalidate();
  const { session } = browser.tab({ initialSnapshot: snapshot });
  expect([session.initial("note"), session.peek("note")]).toEqual(["first", undefined]);
});

test("a snapshot of a session that this browser has ended does not show", async () => {
  const { browser, session } = await twoSessions();
  const snapshot = await browser.server();
  await session.invalidate();
  session.hydrate(snapshot);
  expect(session.hasValue("note")).toBe(false);
  await session.awake();
  expect(session.hasValue("note")).toBe(false);
});

test("a snapshot is answered by a round that begins after it, since one under way may have left with the old cookie", async () => {
  const { world, browser, other, session } = await twoSessions();
  const release = world.holdAnswers();
  const early = session.awake();
  const handled = world.handled;
  await until(() => world.handled > handled);
  browser.jar.cookie = other.jar.cookie;
  const snapshot = await browser.server();
  session.hydrate(snapshot);
  world.answers = Promise.resolve();
  release();
  await early;
  await until(() => session.value("note", "") === "second");
});
