// npm silently drops an optional dependency that it cannot resolve from the lock file, and `npm ci` then fails on the
// platform that needs it. This fails earlier, and says which ones. The lock file of the examples has our own package as the
// registry would have it, and npm does not notice when that needs something else by now: this does.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./install.mjs";

/**
 * The optional dependencies that have no entry where Node would look for them, as "package → dependency", and the
 * entries that name the host that they were fetched from, as "package → address".
 * @param {Record<string, { optionalDependencies?: Record<string, string>, resolved?: string, link?: boolean }>} packages
 */
export function lockProblems(packages) {
  const problems = [];
  for (const [path, { optionalDependencies = {}, resolved, link }] of Object.entries(packages)) {
    for (const name of Object.keys(optionalDependencies)) {
      if (!lookUpPaths(path, name).some((candidate) => candidate in packages))
        problems.push(`${path || "."} → ${name}`);
    }
    if (resolved !== undefined && !link) problems.push(`${path} → ${resolved}`);
  }
  return problems;
}

/**
 * The dependencies of a package that its entry in a lock file lacks, or has in another range, as "name range".
 * @param {{ dependencies?: Record<string, string>, optionalDependencies?: Record<string, string> }} manifest
 * @param {{ dependencies?: Record<string, string>, optionalDependencies?: Record<string, string> }} entry
 */
export function drift(manifest, entry) {
  const ranges = (/** @type {typeof manifest} */ { dependencies, optionalDependencies }) =>
    Object.entries({ ...dependencies, ...optionalDependencies }).map((each) => each.join(" "));
  const [wanted, locked] = [ranges(manifest), ranges(entry)];
  return [...wanted.filter((one) => !locked.includes(one)), ...locked.filter((one) => !wanted.includes(one))];
}

function lookUpPaths(/** @type {string} */ path, /** @type {string} */ name) {
  const folders = path === "" ? [] : path.split("/");
  return Array.from({ length: folders.length + 1 }, (_, up) =>
    [...folders.slice(0, folders.length - up), "node_modules", name].join("/"),
  );
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const readJson = (/** @type {string} */ name) => JSON.parse(readFileSync(join(root, name), "utf8"));
  for (const name of ["package-lock.json", "examples/package-lock.json", "runtimes/package-lock.json"]) {
    const { packages } = readJson(name);
    const own = packages["node_modules/catnap"];
    const problems = [
      ...lockProblems(packages),
      ...(own === undefined || own.link ? [] : drift(readJson("packages/catnap/package.json"), own)).map(
        (range) => `catnap → ${range} (npm run examples:lock)`,
      ),
    ];
    for (const problem of problems) console.error(`${name}: missing or not portable: ${problem}`);
    if (problems.length > 0) process.exitCode = 1;
    else console.log(`${name}: ${Object.keys(packages).length} entries, complete`);
  }
}
