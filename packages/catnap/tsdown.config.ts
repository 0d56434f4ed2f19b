import { defineConfig } from "tsdown";

export default defineConfig({
  entry: [
    ...["index", "server", "client", "react", "express", "fastify", "hono", "next"],
    ...["sqlite", "postgres", "redis", "testing", "playwright"],
  ].map((name) => `src/${name}.ts`),
  format: "esm",
  platform: "neutral",
  target: "es2023",
  // The package is ESM only and says so by `type`: plain `.js` and `.d.ts`.
  fixedExtension: false,
  // Every export states its type (isolatedDeclarations), so declarations need no type check: seconds instead of minutes.
  dts: { oxc: true },
  deps: {
    // The private layers, which are not published, go into the bundle; so do the few types of Standard Schema.
    alwaysBundle: [/^@catnap\//],
    onlyBundle: [/^@catnap\//, "@standard-schema/spec"],
    neverBundle: [/^node:/, /^next\//],
  },
});
