import { describe, expect, test } from "vitest";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import { adapters, createApp, createBrowser, type Server } from "./app.ts";
import { push } from "./pushes.ts";

let seq = 0;
const op = (key: string, value: string, more = {}) => ({ seq: ++seq, key, value, base: 0, ...more });

/** An app over real HTTP, and a browser whose link puts the calls of a task into one request. */
async function open(mount: (typeof adapters)["fetch"], link: "batch" | "stream" | "single" = "batch", options = {}) {
  const app = createApp(options);
  const server: Server = await mount(app);
  const browser = createBrowser(server.url, link);
  return { ...browser, app, server };
}

const revisions = (server: Server, path: string, cookie: string) =>
  fetch(`${server.url}/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", cookie },
    body: JSON.stringify({ json: {} }),
  }).then((response) => response.headers.get("x-session-rev"));

for (const [name, mount] of Object.entries(adapters)) {
  describe(`over tRPC's ${name} adapter`, () => {
    for (const link of ["batch", "stream"] as const) {
      test(`calls of a ${link} that come after a push see what it changes, and the others do not`, async () => {
        const { api, server } = await open(mount, link);
        await api.session.setValue.mutate({ key: "visits", value: 1 });
        const { identifier } = await api.session.info.query();
        const changes = push({ identifier, ops: [op("visits", "5", { from: "1" })] });
        const [before, answer, after, last] = await Promise.all([
          api.nested.mutate(),
          api.session.sync.mutate(changes),
          api.increment.mutate(),
          api.increment.mutate(),
        ]);
        expect(before).toBe(3);
        expect(answer).toMatchObject({ ok: true, acked: changes.upTo });
        expect(after).toBeGreaterThanOrEqual(6);
        expect(last).toBeGreaterThanOrEqual(6);
        expect(await api.session.value.query({ key: "visits" })).toBe(9);
        await server.close();
      });
    }

    test("a push and the calls after it are one commit, whose answer has what the calls changed", async () => {
      const store = memoryStore();
      let writes = 0;
      const counting = {
        ...store,
        write: (...args: Parameters<typeof store.write>) => {
          writes++;
          return store.write(...args);
        },
      };
      const { api, server } = await open(mount, "batch", { store: counting });
      const changes = push({ nonce: "n".repeat(43), ops: [op("note", JSON.stringify("n"))] });
      const [answer, theme] = await Promise.all([
        api.session.sync.mutate(changes),
        api.session.setValue.mutate({ key: "theme", value: "dark" }),
      ]);
      expect(theme).toEqual({ ok: true });
      expect(answer).toMatchObject({ ok: true, rev: 1, entries: { theme: { value: '"dark"' } } });
      expect(writes).toBe(1);
      await server.close();
    });

    test("the response tells the session's revision to calls of the session, and to no others", async () => {
      const { api, jar, server } = await open(mount, "single");
      expect(await revisions(server, "transfer", "")).toBe("0");
      await api.session.setValue.mutate({ key: "note", value: "n" });
      const { identifier } = await api.session.info.query();
      const cookie = `sid=${jar.get("sid")}`;
      expect(await revisions(server, "transfer", cookie)).toBe(`1 ${identifier}`);
      expect(await revisions(server, "increment", cookie)).toBe(`2 ${identifier}`);
      expect(await revisions(server, "setThenThrow", cookie)).toBe(`2 ${identifier}`);
      expect(await revisions(server, "logout", cookie)).toBe(`Infinity ${identifier}`);
      expect((await fetch(`${server.url}/ping`)).headers.get("x-session-rev")).toBe(null);
      await server.close();
    });
  });
}

describe("a call that comes after a push in its batch", () => {
  const mount = adapters.fetch;

  test("does not run when the push is refused for good, and fails with that", async () => {
    const { api, app, server } = await open(mount);
    const old = push({ protocol: 3, ops: [op("note", '"n"')] } as never);
    const [answer, call] = await Promise.allSettled([api.session.sync.mutate(old), api.transfer.mutate()]);
    expect(answer).toMatchObject({ value: { ok: false, code: "PROTOCOL_MISMATCH" } });
    expect(call).toMatchObject({ reason: { data: { code: "PRECONDITION_FAILED" } } });
    expect(app.ran.transfers).toBe(0);
    await server.close();
  });

  test("does not run when the push is malformed", async () => {
    const { api, app, server } = await open(mount);
    const [answer, call] = await Promise.allSettled([api.session.sync.mutate({} as never), api.transfer.mutate()]);
    expect(answer.status).toBe("rejected");
    expect(call).toMatchObject({ reason: { data: { code: "BAD_REQUEST" } } });
    expect(app.ran.transfers).toBe(0);
    await server.close();
  });

  test("does not run when the push has yet to meet the browser's session", async () => {
    const { api, app, server } = await open(mount);
    await api.session.setValue.mutate({ key: "note", value: "n" });
    const stranger = push({ nonce: "m".repeat(43), ops: [op("note", '"m"')] });
    const [answer, call] = await Promise.allSettled([api.session.sync.mutate(stranger), api.transfer.mutate()]);
    expect(answer).toMatchObject({ value: { ok: true, acked: 0 } });
    expect(call).toMatchObject({ reason: { data: { code: "CONFLICT", session: { code: "CONFLICT" } } } });
    expect(app.ran.transfers).toBe(0);
    await server.close();
  });

  test("runs when the browser has no cookie of the push's session any more", async () => {
    const { api, app, server } = await open(mount);
    const late = push({ identifier: "gone".repeat(6), ops: [op("note", '"n"')] });
    const [answer] = await Promise.all([api.session.sync.mutate(late), api.transfer.mutate()]);
    expect(answer).toMatchObject({ ok: false, code: "NO_COOKIE" });
    expect(app.ran.transfers).toBe(1);
    await server.close();
  });

  test("sees a change that the schema refuses as refused", async () => {
    const { api, server } = await open(mount);
    const changes = push({ nonce: "n".repeat(43), ops: [op("theme", '"purple"'), op("visits", "2", { from: null })] });
    const [answer, theme, visits] = await Promise.all([
      api.session.sync.mutate(changes),
      api.nested.mutate(),
      api.increment.mutate(),
    ]);
    expect(answer).toMatchObject({ ok: true, notes: [{ key: "theme", what: "rejected" }] });
    expect(theme).toBe(4);
    expect(visits).toBe(3);
    expect(await api.theme.query()).toBe("light");
    await server.close();
  });

  test("knows the identifier of the session that the push begins, which is one for all first pushes of a browser", async () => {
    const { api, server } = await open(mount);
    const other = createBrowser(server.url, "batch").api;
    const nonce = "n".repeat(43);
    const first = (writer: string) => push({ nonce, writer, ops: [op("visits", "1", { from: null })] });
    const both = await Promise.all([
      api.session.sync.mutate(first("writer-a")),
      api.identify.mutate(),
      other.session.sync.mutate(first("writer-b")),
      other.identify.mutate(),
    ]);
    const { identifier } = await api.session.info.query();
    expect(both).toMatchObject([{ identifier }, identifier, { identifier }, identifier]);
    expect(await api.session.value.query({ key: "visits" })).toBe(2);
    await server.close();
  });

  test("finds what the push has changed in the session once it has saved", async () => {
    const { api, server } = await open(mount);
    await api.session.setValue.mutate({ key: "visits", value: 1 });
    const { identifier } = await api.session.info.query();
    const changes = push({ identifier, ops: [op("visits", "5", { from: "1" })] });
    const [answer, saved] = await Promise.all([api.session.sync.mutate(changes), api.incrementAndSave.mutate()]);
    expect(answer).toMatchObject({ ok: true, acked: changes.upTo });
    expect(saved).toBe(6);
    expect(await api.session.value.query({ key: "visits" })).toBe(6);
    await server.close();
  });
});
