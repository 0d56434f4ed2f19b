// Runs the app of runtimes/ in every runtime, over every store, as a process of its own, with the packed package as a user
// would install it, and goes through the checks of runtimes/visit.ts over HTTP.
import { execFile, execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { root } from "./install.mjs";
import { installPacked } from "./pack.mjs";
import { hasRedis, startRedis } from "./redis-server.mjs";

const folder = join(root, ".cache", "runtimes");
const bin = (/** @type {string} */ path) => join(folder, "node_modules", path);

const own = `Node ${process.versions.node.split(".")[0]}`;

/** @type {Record<string, string[]>} */
const runtimes = {
  [own]: [process.execPath],
  "Node 22": [bin("node22/bin/node")],
  "Node 24": [bin("node24/bin/node")],
  Bun: [bin("@oven/bun-linux-x64/bin/bun")],
  Deno: [bin("@deno/linux-x64-glibc/deno"), "run", "--allow-all"],
};

/** Says what is not run, and why; where everything is required, as in CI, that is a failure. */
function skip(/** @type {string} */ words) {
  if (process.env.CATNAP_REQUIRE === "all") throw new Error(words);
  console.warn(`${words}. Skipped.`);
}

/** Installs what the lock file says, unless it is there, and the package of today. */
function install() {
  const lock = "package-lock.json";
  const read = (/** @type {string} */ home) => existsSync(join(home, lock)) && readFileSync(join(home, lock), "utf8");
  if (read(folder) !== read(join(root, "runtimes"))) rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(join(root, "runtimes"), folder, { recursive: true });
  if (!existsSync(join(folder, "node_modules", ".package-lock.json")))
    execFileSync("npm", ["ci", "--ignore-scripts", "--prefer-offline"], { cwd: folder, stdio: "inherit" });
  installPacked(folder);
  // Above the folder are the workspace's modules, which would hide that the app lacks one.
  const { dependencies } = JSON.parse(readFileSync(bin("catnap/package.json"), "utf8"));
  for (const name of Object.keys(dependencies))
    if (!existsSync(bin(name))) throw new Error(`catnap needs ${name}: add it to runtimes/package.json`);
}

/** Makes JavaScript of the app, which Node 20 needs, and of what tries it. */
async function compile() {
  await build({
    absWorkingDir: folder,
    entryPoints: ["app/serve.ts", "visit.ts", "processes.ts", "workers.ts"],
    entryNames: "[name]",
    outdir: "built",
    bundle: true,
    packages: "external",
    format: "esm",
    target: "es2022",
    platform: "node",
  });
}

/** Type-checks it against the packed package. */
const checkTypes = () =>
  promisify(execFile)(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", folder]);

/** @type {{ name: string, run(): Promise<unknown> }[]} */
const tries = [];

async function plan() {
  const load = (/** @type {string} */ name) => import(pathToFileURL(join(folder, "built", name)).href);
  const { visit, listen } = await load("visit.js");
  const { startProcess } = await load("processes.js");
  const { startWorker, keepLaws } = await load("workers.js");
  if (own !== "Node 20") skip(`This is ${own}, and Node 20 is tried by a Node 20 that runs this script`);
  const redis = hasRedis() ? await startRedis() : undefined;
  if (!redis) skip("redis-server is not on this machine: apt-get install redis-server, for the Redis stores");

  const stores = ["memory", "sqlite", ...(redis ? ["redis"] : [])];
  for (const [runtime, command] of Object.entries(runtimes)) {
    for (const store of stores) {
      const name = `${runtime}, ${store}`;
      const mark = name.replace(/\W+/g, "-");
      const env = { DATABASE: join(folder, `${mark}.db`), PREFIX: `${mark}:`, REDIS_URL: redis?.url ?? "" };
      tries.push({
        name,
        async run() {
          for (const end of ["", "-wal", "-shm"]) rmSync(env.DATABASE + end, { force: true });
          const app = await startProcess(command, store, env);
          try {
            await visit(app.url);
            // Whoever still listens must not keep the process alive.
            const leave = await listen(app.url);
            await app.stop();
            leave();
          } finally {
            app.kill();
          }
        },
      });
    }
  }
  tries.push({ name: "Types", run: checkTypes });
  for (const store of ["memory", "sql"]) {
    tries.push({
      name: `Workers, ${store}`,
      async run() {
        const worker = await startWorker(store);
        try {
          await visit(worker.url);
          if (store === "sql") await keepLaws(worker.url);
        } finally {
          await worker.stop();
        }
      },
    });
  }
  return redis;
}

/** @type {string[]} */
const failed = [];

/** Takes one after the other, beside its sibling: a runtime that starts leaves half of two processors idle. */
async function work() {
  for (let next = tries.shift(); next; next = tries.shift()) {
    const began = performance.now();
    try {
      await next.run();
      console.log(`${next.name}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
    } catch (error) {
      failed.push(next.name);
      console.error(`${next.name}:`, error);
    }
  }
}

if (process.platform === "linux" && process.arch === "x64") {
  install();
  await compile();
  const redis = await plan();
  await Promise.all([work(), work()]);
  await redis?.stop();
  if (failed.length > 0) console.error(`Failed: ${failed.join("; ")}`);
  process.exit(failed.length > 0 ? 1 : 0);
} else skip("The runtimes are installed for Linux on x64 alone");
