import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { expect, test } from "vitest";

const root = new URL("..", import.meta.url);
const text = (/** @type {string} */ path) => readFileSync(new URL(path, root), "utf8");
const files = readdirSync(root, { recursive: true, encoding: "utf8" })
  .filter((path) => /\.(test|spec)\.tsx?$|-laws\.ts$/.test(path) && !path.includes("node_modules"))
  .map((path) => ({ name: basename(path), text: text(path) }));

/** Whether a file of that name has a test of that name, or one that begins or goes on like it. */
const isThere = (/** @type {string} */ file, /** @type {string} */ name) =>
  files.some((each) => each.name === file && each.text.includes(name));

test("the table of defences that were taken out names tests that exist", () => {
  const table = text("docs/security.md").split("## Defences that were taken out")[1] ?? "";
  const named = [
    ...table.matchAll(/`([a-z-]+\.(?:test|spec)\.ts|[a-z-]+-laws\.ts)`: ([^|;]+?)(?: \(it never ends\))?(?=;| \|)/g),
  ];
  expect(named.length).toBeGreaterThan(100);
  const missing = named.flatMap(([, file = "", names = ""]) =>
    // Requirements of ASVS are listed by their numbers.
    (file === "asvs.test.ts" ? names.split(/, | and /) : [names])
      .filter((name) => !isThere(file, name))
      .map((name) => `${file}: ${name}`),
  );
  expect(missing).toEqual([]);
});
