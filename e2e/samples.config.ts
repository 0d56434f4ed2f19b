import { defineConfig } from "@playwright/test";
import base from "./playwright.config.ts";
import { freePort } from "./src/free-port.ts";

// The workers read this file again: the port of the first reading is handed down to them.
process.env.CATNAP_SAMPLES_PORT ??= String(await freePort());
const baseURL = `http://localhost:${process.env.CATNAP_SAMPLES_PORT}`;

/**
 * The README's app with the Playwright test of docs/testing.md, both as they are printed, and tests of other samples on pages of
 * their own; `npm run samples` cuts the samples out.
 */
export default defineConfig({
  ...base,
  testDir: "..",
  testMatch: [".cache/samples/*.spec.ts", "e2e/samples/*.spec.ts"],
  projects: base.projects?.filter(({ testMatch }) => testMatch === undefined) ?? [],
  use: { ...base.use, baseURL },
  webServer: { command: "node ../../e2e/src/sample-app.mjs", cwd: "../.cache/samples", url: baseURL },
});
