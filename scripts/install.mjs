import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

// Runs before anything is installed: Node's own modules only.

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const minimum = /** @type {const} */ ([20, 19]);
const npm = process.platform === "win32" ? "npm.cmd" : "npm";

/** How to start an npm command: `spawn(...npmCommand(["ci"]))`. On Windows npm is a script, which needs a shell. */
export function npmCommand(/** @type {string[]} */ args) {
  const options = { cwd: root, stdio: /** @type {const} */ ("inherit"), shell: process.platform === "win32" };
  return /** @type {const} */ ([npm, args, options]);
}

/** Runs one npm command to its end; a failure ends this process with the same exit code. */
export function npmOrExit(/** @type {string[]} */ ...args) {
  const { status, error } = spawnSync(...npmCommand(args));
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

/** Installs what the lock file says, unless the last install is younger than the lock file. */
export function ensureInstalled() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major < minimum[0] || (major === minimum[0] && minor < minimum[1])) {
    console.error(`Node ${process.versions.node} is too old: please use Node ${minimum.join(".")} or newer.`);
    process.exit(1);
  }
  const installed = join(root, "node_modules", ".package-lock.json");
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(root, "package-lock.json")).mtimeMs) return;
  npmOrExit("ci", "--include=dev", "--include=optional", "--no-audit", "--no-fund");
}
