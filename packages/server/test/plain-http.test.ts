import { defineSession } from "@catnap/shared";
import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { createSessions, type Sessions } from "../src/index.ts";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import { Jar } from "./jar.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe("over plain HTTP in development", () => {
  const definition = defineSession({ name: "blog", shared: { note: z.string() } });
  const plain = (options: object) =>
    createSessions({ definition, store: memoryStore(), sweepInterval: 0, ...options } as never) as Sessions<
      typeof definition
    >;
  const lan = { origins: ["http://192.168.0.7:5173", "http://dev.example"], cookie: { secure: false } };

  test("two apps on two ports of one machine keep a cookie each", async () => {
    const jar = new Jar();
    const sessions = plain({ origins: ["http://localhost:3000"] });
    const visit = async (url: string, text?: string) => {
      const answer = await sessions.run(new Request(url, { headers: { cookie: jar.header(url) } }), (session) => {
        if (text !== undefined) session.setValue("note", text);
        return new Response(session.value("note", "nothing"));
      });
      for (const header of answer.headers.getSetCookie()) expect(jar.take(url, header)).toBe(true);
      return answer.text();
    };
    await visit("http://localhost:3000/", "one");
    expect(await visit("http://localhost:4000/")).toBe("nothing");
    await visit("http://localhost:4000/", "two");
    await visit("http://[::1]:4000/", "six");
    await visit("http://localhost/", "none");
    expect(await visit("http://localhost:3000/")).toBe("one");
    expect(jar.scopes).toEqual([
      "blog-3000 localhost /",
      "blog-4000 localhost /",
      "blog-4000 [::1] /",
      "blog localhost /",
    ]);
    expect(sessions.policy().cookie).toMatchObject({ name: "blog", portInName: true });
  });

  test.each([
    { origins: ["http://localhost:3000"], cookie: { name: "sid" } },
    { origins: ["http://localhost:3000"], cookie: { secure: true } },
    {},
  ])("a name that was given, or a secure cookie, has no port: %j", async (options) => {
    const awake = plain(options).wake(new Request("http://localhost:3000/"));
    await awake.run((session) => session.setValue("note", "n"));
    expect(awake.headers.get("set-cookie")).toMatch(/^(sid|__Host-blog)=/);
  });

  test("any listed host is served, with one loud line a process; none for this machine", async () => {
    vi.resetModules();
    const fresh = await import("../src/index.ts");
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    cleanups.push(() => warn.mockRestore());
    const make = (options: object) => fresh.createSessions({ definition, store: memoryStore(), ...options } as never);
    cleanups.push(() => one.close());
    make({ origins: ["http://localhost:3000"], cookie: { secure: false } });
    expect(warn).not.toHaveBeenCalled();
    const one = make(lan);
    make(lan);
    expect(warn.mock.calls).toEqual([[expect.stringContaining("COOKIE.SECURE IS FALSE for http://192.168.0.7:5173")]]);
    const awake = one.wake(new Request("http://192.168.0.7:5173/")) as ReturnType<Sessions<typeof definition>["wake"]>;
    await awake.run((session) => session.setValue("note", "n"));
    expect(new Jar().take("http://192.168.0.7:5173/", awake.headers.get("set-cookie") ?? "")).toBe(true);
  });

  test("production has no insecure cookie, on this machine either", () => {
    vi.stubEnv("NODE_ENV", "production");
    expect(() => plain(lan)).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
    expect(() => plain({ origins: ["http://localhost:3000"], cookie: { secure: false } })).toThrow(
      /NODE_ENV is production/,
    );
    expect(plain({ origins: ["http://localhost:3000"] }).policy().cookie).toMatchObject({
      name: "__Host-blog",
      secure: true,
    });
  });
});
