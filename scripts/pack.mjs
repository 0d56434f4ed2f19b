// Packs the package, and puts it where a user's npm would.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { root } from "./install.mjs";

/** Replaces the package in a folder's `node_modules` by what npm would fetch: the tarball, which stays in the folder. */
export function installPacked(/** @type {string} */ folder) {
  const installed = join(folder, "node_modules", "catnap");
  rmSync(installed, { recursive: true, force: true });
  mkdirSync(installed, { recursive: true });
  for (const name of tarballs(folder)) rmSync(join(folder, name));
  execFileSync("npm", ["pack", "--silent", "--pack-destination", folder], {
    cwd: join(root, "packages", "catnap"),
    shell: process.platform === "win32",
  });
  execFileSync("tar", ["-xzf", tarballs(folder)[0] ?? "", "-C", installed, "--strip-components=1"], { cwd: folder });
}

const tarballs = (/** @type {string} */ folder) => readdirSync(folder).filter((name) => name.endsWith(".tgz"));
