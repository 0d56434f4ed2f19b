// Installs the examples with the packed package, as a user would, compiles and builds each of them, starts them, and visits
// each with a browser (examples/visit.spec.ts). `npm run examples -- express hono` does so with these two.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { findChromium, findFirefox } from "../e2e/src/browsers.ts";
import { names, stage, stageExamples } from "./stage-examples.mjs";

const asked = process.argv.slice(2);
const chosen = asked.length > 0 ? asked : names;
const unknown = chosen.filter((name) => !names.includes(name));
if (unknown.length > 0) throw new Error(`There is no examples/${unknown[0]}, but ${names.join(", ")}`);

let since = performance.now();
function told(/** @type {string} */ what) {
  const now = performance.now();
  console.log(`${what}: ${((now - since) / 1000).toFixed(1)} s`);
  since = now;
}

/**
 * Runs a command to its end. What it says is shown when it fails, or `live`.
 * @param {string} folder
 * @param {string} command
 * @param {{ live?: boolean, env?: Record<string, string> }} options
 */
function run(folder, command, { live = false, env = {} } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, {
      cwd: join(stage, folder),
      env: { ...process.env, ...env },
      shell: true,
      stdio: live ? "inherit" : "pipe",
    });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (said += chunk));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) return resolve(said);
      console.error(said);
      reject(new Error(`${folder || "examples"}: "${command}" ended with ${code}`));
    });
  });
}

const kept = stageExamples();
told("Packed and copied");
if (!kept) {
  await run("", "npm ci --include=dev --prefer-offline");
  told("Installed");
}

// Two at once, for two cores. What a build generates, the types may need.
const waiting = [...chosen];
async function worker() {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    const { scripts } = JSON.parse(readFileSync(join(stage, name, "package.json"), "utf8"));
    if (scripts.build) await run(name, "npm run build", { env: { NODE_ENV: "production" } });
    await run(name, "npx tsc --noEmit");
  }
}
await Promise.all([worker(), worker()]);
await run("", "npx tsc");
told("Built and type-checked");

await run("", "npx playwright test", {
  live: true,
  env: { EXAMPLES: chosen.join(","), CHROMIUM: await findChromium(), FIREFOX: findFirefox() ?? "" },
});
told("Visited");
