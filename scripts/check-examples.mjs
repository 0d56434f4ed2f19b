// Installs the examples with the packed package, as a user would, compiles and builds each of them, starts them, and visits
// each with a browser (examples/visit.spec.ts). `npm run examples -- express hono` does so with these two.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { findChromium, findFirefox, findShell } from "../e2e/src/browsers.ts";
import { freePort } from "../e2e/src/free-port.ts";
import { root } from "./install.mjs";
import { names, noteInstalled, stage, stageExamples } from "./stage-examples.mjs";

const grouped = process.platform !== "win32";
// It has no need of the version that the examples have, and takes an eighth of its time.
const tsc = `node ${JSON.stringify(join(root, "node_modules", "typescript7", "bin", "tsc"))} --noEmit`;

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
 * Starts a command in a folder of the copy. `over` is rejected, with all that it has said, when it fails.
 * @param {string} folder
 * @param {string} command
 * @param {{ live?: boolean, env?: Record<string, string> }} options
 */
function start(folder, command, { live = false, env = {} } = {}) {
  const child = spawn(command, {
    cwd: join(stage, folder),
    env: { ...process.env, ...env },
    shell: true,
    detached: grouped,
    stdio: live ? "inherit" : ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (said += chunk));
  const over = new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(undefined);
      else reject(new Error(`${folder || "examples"}: "${command}" ended with ${code}:\n${said}`));
    });
  });
  return { child, over };
}
const run = (/** @type {Parameters<typeof start>} */ ...args) => start(...args).over;

/** @type {import("node:child_process").ChildProcess[]} */
const servers = [];
/** @type {Record<string, string>} */
const urls = {};

/** Starts an example's server, and waits until it answers. */
async function serve(/** @type {string} */ name) {
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const { child, over } = start(name, "npm start", { env: { NODE_ENV: "production", PORT: String(port) } });
  servers.push(child);
  urls[name] = url;
  let ended = false;
  over.finally(() => (ended = true)).catch(() => undefined);
  const until = Date.now() + 60_000;
  while (
    !(await fetch(`${url}/whoami`).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    if (ended) await over;
    if (ended || Date.now() > until) throw new Error(`${name}: nothing answers at ${url}/whoami`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** npm and its shell do not pass signals on to the server: all three get them, as one process group. */
function stopServers() {
  for (const child of servers) {
    if (child.exitCode !== null || child.pid === undefined) continue;
    if (grouped) process.kill(-child.pid, "SIGTERM");
    else child.kill();
  }
}

for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) {
  process.once(signal, () => {
    stopServers();
    process.exit(1);
  });
}

const kept = stageExamples();
told("Packed and copied");
if (!kept) {
  await run("", "npm ci --include=dev --prefer-offline");
  noteInstalled();
  told("Installed");
}

try {
  // Two at once, for two cores. What a build generates, the types may need.
  const waiting = [...chosen];
  const worker = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const { scripts } = JSON.parse(readFileSync(join(stage, name, "package.json"), "utf8"));
      if (scripts.build) await run(name, "npm run build", { env: { NODE_ENV: "production" } });
      await Promise.all([serve(name), run(name, tsc)]);
    }
  };
  await Promise.all([run("", tsc), worker(), worker()]);
  told("Built, type-checked, and started");

  await run("", "npx playwright test", {
    live: true,
    env: {
      EXAMPLES: JSON.stringify(urls),
      CHROMIUM: findShell() ?? (await findChromium()),
      FIREFOX: findFirefox() ?? "",
    },
  });
  told("Visited");
} finally {
  stopServers();
}
