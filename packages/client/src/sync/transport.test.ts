import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import superjson from "superjson";
import { expect, onTestFinished, test, vi } from "vitest";
import { open, type Send, until } from "../../test/world.ts";
import { Transport } from "./transport.ts";

const headersOf = (init: RequestInit | undefined) => Object.fromEntries(new Headers(init?.headers));

/** Keeps what was sent. */
function recorded() {
  const sent: { url: string; init: RequestInit }[] = [];
  const through =
    (send: Send): Send =>
    (url, init) => {
      sent.push({ url, init });
      return send(url, init);
    };
  return { sent, through };
}

test("every push goes by the app's own fetch with its headers, the last one of a page in the task in which it ends", async () => {
  const { browser } = open();
  const { sent, through } = recorded();
  const base = browser.tab();
  const http = {
    url: "https://shop.test/trpc/",
    transformer: superjson,
    headers: () => ({ authorization: "Bearer 1" }),
    fetch: through(base.fetch as Send),
  };
  const { session, page } = browser.tab({ http });
  session.setValue("note", "first");
  await session.awake();
  await session.sleep();
  session.setValue("note", "last");
  const before = sent.length;
  page.leave();
  expect(sent.length).toBe(before + 1);
  expect(sent.map(({ init }) => init.keepalive)).toEqual([...Array(before).fill(false), true]);
  for (const { url, init } of sent) {
    expect(url).toBe("https://shop.test/trpc/session.sync");
    expect(headersOf(init)).toEqual({ authorization: "Bearer 1", "content-type": "application/json" });
  }
  await until(async () => (await browser.server()).entries.note?.value === '"last"');
});

test("headers that are promised are waited for, but by the last push of a page, which has the latest that are known", async () => {
  const { browser } = open();
  const { sent, through } = recorded();
  const base = browser.tab();
  let given = 0;
  const http = {
    url: "https://shop.test/trpc",
    transformer: superjson,
    headers: async () => ({ "x-given": `${++given}` }),
    fetch: through(base.fetch as Send),
  };
  const { session, page } = browser.tab({ http });
  session.setValue("note", "first");
  await session.awake();
  await session.sleep();
  session.setValue("note", "last");
  const known = sent.length;
  page.leave();
  expect(sent.map(({ init }) => headersOf(init)["x-given"])).toEqual([
    ...Array.from({ length: known }, (_, n) => `${n + 1}`),
    `${known}`,
  ]);
});

test("a transformer of two halves writes with the one and reads with the other", async () => {
  const halves = {
    input: { serialize: (value: unknown) => ({ in: value }) },
    output: { deserialize: ({ out }: { out: unknown }) => out },
  };
  const bodies: unknown[] = [];
  const fetch: Send = async (_, { body }) => {
    bodies.push(JSON.parse(String(body)));
    return Response.json({ result: { data: { out: { ok: true } } } });
  };
  const transport = new Transport({ url: "/trpc", transformer: halves, fetch }, "session");
  expect([await transport.invalidate({ identifier: "i" }), bodies]).toEqual([
    { ok: true },
    [{ in: { identifier: "i" } }],
  ]);
});

test("what answers without being tRPC is named by its address", async () => {
  const { browser } = open();
  const elsewhere: Send = async () => new Response("<html>Not here</html>", { status: 404 });
  const { session } = browser.tab({ through: () => elsewhere });
  session.setValue("note", "n");
  await expect(session.sleep()).rejects.toMatchObject({
    code: "UNREACHABLE",
    message: expect.stringMatching(/answered 404/),
    cause: { message: expect.stringMatching("https://shop.test/trpc/session.sync") },
  });
});

test.each([
  ["never answers", () => undefined],
  ["never ends its answer", (response: ServerResponse) => void response.writeHead(200).write('{"result":')],
])(
  "a server that %s holds up nothing for longer than the deadline, and what was written is kept",
  async (_, answer) => {
    const server = createServer((_request, response) => answer(response)).listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => {
      vi.restoreAllMocks();
      server.closeAllConnections();
      server.close();
    });
    const deadlines: number[] = [];
    const timeout = AbortSignal.timeout.bind(AbortSignal);
    vi.spyOn(AbortSignal, "timeout").mockImplementation((ms) => {
      deadlines.push(ms);
      return timeout(100);
    });
    const { world, browser } = open();
    const { port } = server.address() as AddressInfo;
    let isDead = true;
    const { session } = browser.tab({
      through: (send) => (url, init) => (isDead ? fetch(`http://127.0.0.1:${port}`, init) : send(url, init)),
    });
    session.setValue("note", "kept");
    await session.awake();
    await expect(session.sleep()).rejects.toMatchObject({ code: "UNREACHABLE" });
    expect(session.status()).toMatchObject({ state: "offline", pending: 1 });
    expect(Math.min(...deadlines)).toBeGreaterThanOrEqual(10_000);
    expect(Math.max(...deadlines)).toBeLessThan(11_000);
    expect(world.requests).toEqual([]);
    isDead = false;
    await session.sleep();
    expect((await browser.server()).entries).toMatchObject({ note: { value: '"kept"' } });
  },
);
