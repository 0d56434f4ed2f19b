import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { defineConfig } from "@playwright/test";

// Each example is a project, with its server on a port of its own, in production. The workers read this file again: what
// the first reading has chosen is handed down to them.
const chosen = process.env.EXAMPLES?.split(",");
const names = readdirSync(import.meta.dirname)
  .filter((name) => existsSync(`${import.meta.dirname}/${name}/package.json`))
  .filter((name) => chosen?.includes(name) ?? true);

async function freePort(): Promise<string> {
  const probe = createServer().listen(0);
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  return String(port);
}
const ports: Record<string, string> = process.env.PORTS
  ? JSON.parse(process.env.PORTS)
  : Object.fromEntries(await Promise.all(names.map(async (name) => [name, await freePort()])));
process.env.PORTS = JSON.stringify(ports);
const urlOf = (name: string) => `http://localhost:${ports[name]}`;

/** What the server sends to Firefox is the same for all; one is enough to see that Firefox likes it. */
const inFirefox = ["express"];
const { CHROMIUM: chromium, FIREFOX: firefox } = process.env;

export default defineConfig({
  testDir: ".",
  testMatch: "visit.spec.ts",
  fullyParallel: true,
  workers: 2,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: [["list"]],
  projects: [
    ...names.map((name) => ({
      name,
      use: {
        baseURL: urlOf(name),
        browserName: "chromium" as const,
        launchOptions: chromium ? { executablePath: chromium, args: ["--disable-quic", "--no-first-run"] } : {},
      },
    })),
    ...names
      .filter((name) => firefox && inFirefox.includes(name))
      .map((name) => ({
        name: `${name} in Firefox`,
        use: {
          baseURL: urlOf(name),
          browserName: "firefox" as const,
          channel: "moz-firefox",
          launchOptions: { executablePath: firefox },
        },
      })),
  ],
  webServer: names.map((name) => ({
    name,
    command: "npm start",
    cwd: name,
    url: `${urlOf(name)}/whoami`,
    env: { PORT: ports[name] ?? "", NODE_ENV: "production" },
    timeout: 60_000,
  })),
});
