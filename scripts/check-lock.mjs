// npm silently drops an optional dependency that it cannot resolve from the lock file, and `npm ci` then fails on the
// platform that needs it. This fails earlier, and says which ones.
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

function lookUpPaths(/** @type {string} */ path, /** @type {string} */ name) {
  const folders = path === "" ? [] : path.split("/");
  return Array.from({ length: folders.length + 1 }, (_, up) =>
    [...folders.slice(0, folders.length - up), "node_modules", name].join("/"),
  );
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const name of ["package-lock.json", "examples/package-lock.json", "runtimes/package-lock.json"]) {
    const { packages } = JSON.parse(readFileSync(join(root, name), "utf8"));
    const problems = lockProblems(packages);
    for (const problem of problems) console.error(`${name}: missing or not portable: ${problem}`);
    if (problems.length > 0) process.exitCode = 1;
    else console.log(`${name}: ${Object.keys(packages).length} entries, complete`);
  }
}
