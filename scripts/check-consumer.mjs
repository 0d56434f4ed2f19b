// Compiles scripts/consumer/, the projects of a user, against the packed package: with declarations and `composite`, as a
// monorepo does, by each TypeScript that is supported, with both ways of module resolution and `skipLibCheck: false`. The
// files of errors/ are wrong on purpose: a comment `//! text` says what the compiler must say of the next line.
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { root } from "./install.mjs";
import { installPacked } from "./pack.mjs";

const folder = join(root, ".cache", "consumer");

const alone = readdirSync(join(root, "scripts", "consumer", "alone"));

/**
 * Writes a project per folder and per file of alone/, which refer to each other, and one of all files but those.
 * @param {string} resolution
 */
function configure(resolution) {
  const options = {
    target: "es2023",
    lib: ["ES2023", "DOM"],
    module: resolution === "node16" ? "node16" : "esnext",
    moduleResolution: resolution,
    strict: true,
    exactOptionalPropertyTypes: true,
    composite: true,
    emitDeclarationOnly: true,
    skipLibCheck: false,
    skipDefaultLibCheck: true,
    jsx: "react-jsx",
    types: ["node"],
    rootDir: "..",
  };
  const home = join(folder, resolution);
  mkdirSync(home);
  const write = (/** @type {string} */ name, /** @type {object} */ config, /** @type {string[]} */ ...needed) =>
    writeFileSync(
      join(home, `${name}.json`),
      JSON.stringify({
        compilerOptions: { ...options, outDir: `out/${name}`, tsBuildInfoFile: `out/${name}.tsbuildinfo` },
        ...config,
        references: needed.map((each) => ({ path: `./${each}.json` })),
      }),
    );
  write("all", { include: ["../api", "../web", "../errors"] });
  write("api", { include: ["../api"] });
  write("web", { include: ["../web"] }, "api");
  write("errors", { include: ["../errors"] }, "api", "web");
  for (const file of alone) write(file, { files: [`../alone/${file}`] });
  write("solution", { files: [] }, "errors", ...alone);
}

/** Each text that a compiler must say, by `file:line`. */
function expectations() {
  const expected = new Map();
  for (const name of readdirSync(join(folder, "errors"))) {
    readFileSync(join(folder, "errors", name), "utf8")
      .split("\n")
      .forEach((line, index) => {
        const text = /^\s*\/\/! (.*)$/.exec(line)?.[1];
        if (text) expected.set(`errors/${name}:${index + 2}`, text);
      });
  }
  return expected;
}

/** Unions are printed in another order by TypeScript 7: the members of each, sorted. */
const sorted = (/** @type {string} */ text) =>
  text.replace(/"[^"]*"(?: \| "[^"]*")+/g, (union) => union.split(" | ").sort().join(" | "));

/**
 * What is wrong with what a compiler said. Errors in the declarations of other packages are theirs.
 * @param {string} output
 * @param {Map<string, string>} expected
 */
function problems(output, expected) {
  const found = [...output.matchAll(/^(\S.*)\((\d+),\d+\): (error .*(?:\n .*)*)/gm)].map(
    ([, file = "", line, text = ""]) => ({ file: file.replace(/^(\.\.\/)+/, ""), line, text }),
  );
  const wrong = [];
  const met = new Set();
  for (const { file, line, text } of found) {
    const place = `${file}:${line}`;
    const wanted = expected.get(place);
    if (wanted !== undefined && sorted(text).includes(sorted(wanted))) met.add(place);
    else if (!file.includes("node_modules/") || file.includes("node_modules/catnap/")) wrong.push(`${place} ${text}`);
  }
  for (const [place, text] of expected) if (!met.has(place)) wrong.push(`${place} lacks the error: ${text}`);
  // A compiler that did not run has found nothing.
  if (output !== "" && found.length === 0) wrong.push(output);
  return wrong;
}

/**
 * TypeScript 7 is fast enough to build the projects one by one, each against the declarations of those that it needs.
 * @param {string} compiler
 * @param {string} resolution
 */
async function compile(compiler, resolution) {
  const tsc = join(root, "node_modules", compiler, "bin", "tsc");
  const what = compiler === "typescript7" ? ["-b", `${resolution}/solution.json`] : ["-p", `${resolution}/all.json`];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [tsc, ...what, "--pretty", "false"], {
    cwd: folder,
    maxBuffer: 2 ** 26,
  }).catch((/** @type {{ stdout: string, stderr: string }} */ failure) => failure);
  return stdout + stderr;
}

const compilers = ["typescript7", "typescript", "typescript5"];
const resolutions = ["bundler", "node16"];
rmSync(folder, { recursive: true, force: true });
cpSync(join(root, "scripts", "consumer"), folder, { recursive: true });
installPacked(folder);
resolutions.forEach(configure);
const expected = expectations();
let count = 0;
for (const compiler of compilers) {
  await Promise.all(
    resolutions.map(async (resolution) => {
      for (const text of problems(await compile(compiler, resolution), expected)) {
        console.error(`${compiler}, ${resolution}: ${text.slice(0, 1_000)}`);
        count++;
      }
    }),
  );
}
if (count > 0) process.exit(1);
console.log(
  `The packed package compiles in ${compilers.length * resolutions.length} ways, with declarations, and its ${expected.size} errors read as they should.`,
);
