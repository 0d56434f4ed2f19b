import { build } from "esbuild";
import { expect, test } from "vitest";

/** What a bundler makes of a definition, with what it puts in the place of `process.env.NODE_ENV`, or with nothing. */
async function bundled(environment: string | undefined): Promise<string> {
  const { outputFiles } = await build({
    stdin: {
      contents: `import { defineSession } from "./index.ts"; globalThis.make = () => defineSession({ shraed: {} });`,
      resolveDir: import.meta.dirname,
    },
    bundle: true,
    write: false,
    format: "esm",
    minifySyntax: true,
    treeShaking: true,
    platform: "neutral",
    mainFields: ["module", "main"],
    ...(environment === undefined ? {} : { define: { "process.env.NODE_ENV": JSON.stringify(environment) } }),
  });
  return outputFiles[0]?.text ?? "";
}

/** What comes of it in a browser, which has no `process`. */
function outcome(code: string): string {
  const run = new Function(
    "process",
    "globalThis",
    `${code.replace(/export\s*\{[^}]*\};?/g, "")}; return globalThis.make();`,
  );
  try {
    run(undefined, Object.create(globalThis));
    return "taken";
  } catch (error) {
    return String((error as Error).message);
  }
}

test("a browser that a development server serves checks a definition, though it has no process", async () => {
  expect(outcome(await bundled("development"))).toContain('not "shraed"');
});

test("production carries no check, and a browser without a bundler runs", async () => {
  const production = await bundled("production");
  expect([outcome(production), production.includes("defineSession takes")]).toEqual(["taken", false]);
  expect(outcome(await bundled(undefined))).toBe("taken");
});
