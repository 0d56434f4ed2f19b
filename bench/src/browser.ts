import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { chromium, type Page } from "@playwright/test";
import { initTRPC } from "@trpc/server";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { createSessions, memoryStore, type WakeOptions } from "catnap/server";
import { build } from "esbuild";
import { findChromium } from "../../e2e/src/browsers.ts";
import { type Figure, median } from "./figure.ts";
import type { PageBench } from "./page.ts";
import { thousand } from "./sessions.ts";

const sessions = createSessions({ definition: thousand, store: memoryStore() });
const createContext = (options: WakeOptions) => ({ session: sessions.wake(options) });
const t = initTRPC.context<typeof createContext>().create();
const router = t.router({ session: sessions.router({ procedure: t.procedure.use(sessions.middleware) }) });
export type PageRouter = typeof router;

/** Serves the page and its session. */
async function startServer(): Promise<{ origin: string; server: Server }> {
  const { outputFiles } = await build({
    entryPoints: [new URL("page.ts", import.meta.url).pathname],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const page = `<!doctype html><script type="module">${outputFiles[0]!.text.replaceAll("</script", "<\\/script")}</script>`;
  const html = () => new Response(page, { headers: { "content-type": "text/html; charset=utf-8" } });
  const server = serve({
    fetch: (req) =>
      req.url.includes("/trpc/") ? fetchRequestHandler({ endpoint: "/trpc", req, router, createContext }) : html(),
    port: 0,
    hostname: "127.0.0.1",
  }) as Server;
  await once(server, "listening");
  // A browser takes a secure cookie from localhost over plain HTTP, from 127.0.0.1 it does not.
  return { origin: `http://localhost:${(server.address() as AddressInfo).port}`, server };
}

declare const bench: PageBench;

/** What the client costs in a real browser: reads, the first sight of what the disk holds, and a thousand writes. */
export async function besideBrowser(): Promise<Figure[]> {
  const { origin, server } = await startServer();
  const executablePath = await findChromium();
  const browser = await chromium.launch({
    executablePath,
    args: ["--disable-quic", "--disable-background-networking"],
  });
  try {
    const context = await browser.newContext();
    /** Runs in a page of its own. */
    const fresh = async <T>(run: (page: Page) => Promise<T>): Promise<T> => {
      const page = await context.newPage();
      await page.goto(origin);
      const result = await run(page);
      await page.close();
      return result;
    };
    const { requests, transactions } = await fresh(async (page) => {
      const bodies: string[] = [];
      page.on("request", (request) => bodies.push(request.postData() ?? ""));
      const counted = await page.evaluate(() => bench.fill());
      return { ...counted, requests: bodies.filter((body) => body.includes('"value"')).length };
    });
    const loads: [number, number][] = [];
    for (let n = 0; n < 25; n++) {
      const awake = await fresh((page) => page.evaluate(() => bench.awake()));
      loads.push([awake, await fresh((page) => page.evaluate(() => bench.getAll()))]);
    }
    const reads = await fresh((page) => page.evaluate(() => bench.reads()));
    const [awake, getAll] = [median(loads.map(([own]) => own)), median(loads.map(([, other]) => other))];
    const written = "1,000 setValue calls in one task";
    return [
      {
        what: "synchronous read of the client's session",
        ours: `${reads.session.toFixed(1)} ns`,
        rival: `Map.get: ${reads.map.toFixed(1)} ns`,
        ratio: reads.session / reads.map,
        target: { most: 3 },
      },
      {
        what: "cold awake with 1,000 keys of 100 bytes, Chromium",
        ours: `${awake.toFixed(1)} ms`,
        rival: `bare IndexedDB getAll of 1,000 rows: ${getAll.toFixed(1)} ms`,
        ratio: awake / getAll,
        target: { most: 1.5 },
      },
      { what: written, ours: `${requests} HTTP requests`, rival: "one", ratio: requests, target: { most: 1 } },
      {
        what: written,
        ours: `${transactions} IndexedDB transactions`,
        rival: "two",
        ratio: transactions,
        target: { most: 2 },
      },
    ];
  } finally {
    await browser.close();
    server.close();
  }
}
