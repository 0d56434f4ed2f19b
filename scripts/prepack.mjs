// The package's page on npm shows the repository's README, and its tarball carries the licence.
import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { root } from "./install.mjs";

for (const name of ["README.md", "LICENSE"]) {
  const from = join(root, name);
  if (existsSync(from)) copyFileSync(from, join(root, "packages", "catnap", name));
}
