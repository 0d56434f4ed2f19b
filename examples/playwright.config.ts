import { defineConfig } from "@playwright/test";

/** Where each example is served, by its name: `npm run examples` has started them all. */
const examples: Record<string, string> = JSON.parse(process.env.EXAMPLES ?? "{}");
/** What Firefox gets from a server is the same for all: this one shows that it likes it. */
const inFirefox = ["express"];
const { CHROMIUM: chromium, FIREFOX: firefox } = process.env;

const inChromium = (baseURL: string) => ({
  baseURL,
  browserName: "chromium" as const,
  launchOptions: chromium ? { executablePath: chromium, args: ["--disable-quic", "--no-first-run"] } : {},
});

export default defineConfig({
  fullyParallel: true,
  workers: 2,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: [["list"]],
  projects: Object.entries(examples).flatMap(([name, baseURL]) => [
    { name, testMatch: "visit.spec.ts", use: inChromium(baseURL) },
    // After its visit: signing other devices out signs the visitor out, too, who is the same person.
    { name: `${name} alone`, testMatch: `${name}.spec.ts`, dependencies: [name], use: inChromium(baseURL) },
    ...(firefox && inFirefox.includes(name)
      ? [
          {
            name: `${name} in Firefox`,
            testMatch: "visit.spec.ts",
            use: {
              baseURL,
              browserName: "firefox" as const,
              channel: "moz-firefox",
              launchOptions: { executablePath: firefox },
            },
          },
        ]
      : []),
  ]),
});
