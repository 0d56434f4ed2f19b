import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "@playwright/test";
import { defineSession } from "catnap";
import { createSessions, memoryStore } from "catnap/server";
import { z } from "zod";

const definition = defineSession({ shared: { visits: z.number().default(0) } });
const sessions = createSessions({
  definition,
  store: memoryStore(),
  origins: ["http://localhost"],
  cookie: { secure: false },
});

/** Counts visits, as a shop's page does, and logs in, as a callback of an OAuth provider's does. */
const shop: RequestListener = (req, res) => {
  if (req.url === "/favicon.ico") return void res.writeHead(404).end();
  const answered = sessions.wake({ req, res }).run((session) => {
    if (req.url?.startsWith("/callback")) session.login("ann");
    const visits = session.update("visits", (n) => n + 1);
    res.setHeader("content-type", "text/html");
    res.end(`<h1>visit ${visits} of ${session.subject() ?? "nobody"}</h1>`);
  });
  answered.catch((error: { status?: number; code?: string }) => res.writeHead(error.status ?? 500).end(error.code));
};

const servers: Server[] = [];
async function listen(listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0);
  servers.push(server);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}
test.afterAll(async () => {
  for (const server of servers) server.close();
  await sessions.close();
});

// localhost and 127.0.0.1 are two sites.
test("a visitor who comes from another site by a link or a redirect is counted and logged in, and one in a frame is not", async ({
  page,
}) => {
  const shopUrl = `http://localhost:${await listen(shop)}`;
  const elsewhere = await listen((req, res) => {
    if (req.url === "/provider") return void res.writeHead(302, { location: `${shopUrl}/callback?code=1` }).end();
    res.writeHead(200, { "content-type": "text/html" }).end(`<!doctype html>
      <a href="${shopUrl}/">a search result</a>
      <a href="/provider">log in elsewhere</a>
      <form method="post" action="${shopUrl}/callback"><button>post</button></form>
      <iframe title="trap" src="${shopUrl}/callback"></iframe>`);
  });
  const start = () => page.goto(`http://127.0.0.1:${elsewhere}/`);
  await start();
  await expect(page.frameLocator("iframe").getByText("CROSS_SITE")).toBeVisible();
  await page.getByText("a search result").click();
  await expect(page.getByRole("heading")).toHaveText("visit 1 of nobody");
  await start();
  await page.getByText("log in elsewhere").click();
  await expect(page.getByRole("heading")).toHaveText("visit 2 of ann");
  await start();
  await page.getByText("post").click();
  await expect(page.getByText("CROSS_SITE")).toBeVisible();
  await page.goto(`${shopUrl}/`);
  await expect(page.getByRole("heading")).toHaveText("visit 3 of ann");
});
