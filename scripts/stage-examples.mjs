// Puts a copy of examples/ where it can be installed with the packed package, as a user would from npm's registry: the
// packages that are named "catnap": "^0.1.0" get the tarball, in each package.json and in the lock file.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./install.mjs";

export const examples = join(root, "examples");
export const stage = join(root, ".cache", "examples");
export const names = readdirSync(examples).filter((name) => existsSync(join(examples, name, "package.json")));

/** @typedef {{ version?: string, resolved?: string, integrity?: string, dependencies?: Record<string, string> }} Entry */
/** @typedef {{ packages: Record<string, Entry> }} Lock */

const readJson = (/** @type {string} */ file) => JSON.parse(readFileSync(file, "utf8"));
const writeJson = (/** @type {string} */ file, /** @type {object} */ value) =>
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);

const manifest = readJson(join(root, "packages", "catnap", "package.json"));
const range = `^${manifest.version}`;
const file = `catnap-${manifest.version}.tgz`;
const tarball = join(stage, file);

/**
 * Makes the copy anew, but for what is installed there already.
 * @returns {boolean} whether what is installed there is what this lock file and this tarball want
 */
export function stageExamples() {
  for (const folder of [stage, ...names.map((name) => join(stage, name))]) clear(folder);
  cpSync(examples, stage, { recursive: true, filter: (path) => !/[\\/](node_modules|test-results)$/.test(path) });
  execFileSync("npm", ["pack", "--silent", "--pack-destination", stage], {
    cwd: join(root, "packages", "catnap"),
    shell: process.platform === "win32",
  });
  for (const name of names) {
    const path = join(stage, name, "package.json");
    const content = readJson(path);
    if (content.dependencies?.catnap !== range) throw new Error(`examples/${name} must depend on catnap ${range}`);
    content.dependencies.catnap = `file:${tarball}`;
    writeJson(path, content);
  }
  const lockFile = join(stage, "package-lock.json");
  if (existsSync(lockFile)) writeJson(lockFile, withTarball(readJson(lockFile)));
  return existsSync(lockFile) && installedLock() === readFileSync(lockFile, "utf8");
}

const installed = join(stage, "node_modules", ".installed-by.json");

/** The lock file that was installed by, if any was. */
const installedLock = () => (existsSync(installed) ? readFileSync(installed, "utf8") : null);

/** Notes by which lock file has been installed, for the next time. */
export function noteInstalled() {
  copyFileSync(join(stage, "package-lock.json"), installed);
}

function clear(/** @type {string} */ folder) {
  if (!existsSync(folder)) return void mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) {
    if (name !== "node_modules" && !(folder === stage && names.includes(name)))
      rmSync(join(folder, name), { recursive: true });
  }
}

/** The lock file with the tarball in it. */
function withTarball(/** @type {Lock} */ lock) {
  for (const name of names) replace(lock, name, `file:${tarball}`);
  lock.packages["node_modules/catnap"] = {
    ...lock.packages["node_modules/catnap"],
    resolved: `file:${file}`,
    integrity: `sha512-${createHash("sha512").update(readFileSync(tarball)).digest("base64")}`,
  };
  return lock;
}

/** The lock file as it stands in examples/: as if the package had come from the registry. */
export function withoutTarball(/** @type {Lock} */ lock) {
  for (const name of names) replace(lock, name, range);
  const { resolved: _, integrity: __, ...rest } = lock.packages["node_modules/catnap"] ?? {};
  lock.packages["node_modules/catnap"] = rest;
  return lock;
}

function replace(/** @type {Lock} */ lock, /** @type {string} */ name, /** @type {string} */ wanted) {
  const { dependencies } = lock.packages[name] ?? {};
  if (dependencies?.catnap) dependencies.catnap = wanted;
}
