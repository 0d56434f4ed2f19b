// Reads what a browser gets from `catnap`, `catnap/client` and `catnap/react`: the modules of the built package and those few
// that are named here, none of a server, none of a schema library.
import { join, relative } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { root } from "./install.mjs";

const home = join(root, "packages", "catnap");
const allowed = ["packages/catnap/dist/", "node_modules/idb-keyval/", "node_modules/superjson/"];
/** What superjson is made of. */
const ofSuperjson = ["node_modules/copy-anything/", "node_modules/is-what/"];

const { metafile } = await build({
  stdin: {
    contents: ["index", "client", "react"].map((name) => `export * from "./dist/${name}.js";`).join("\n"),
    resolveDir: home,
  },
  absWorkingDir: root,
  bundle: true,
  format: "esm",
  platform: "browser",
  external: ["react"],
  metafile: true,
  write: false,
  logLevel: "silent",
});
const modules = Object.keys(metafile.inputs).filter((name) => name !== "<stdin>");
const foreign = modules.filter((name) => ![...allowed, ...ofSuperjson].some((part) => name.includes(part)));
const needed = Object.values(metafile.inputs).flatMap(({ imports }) => imports.filter((one) => one.external));
const unexpected = needed.map(({ path }) => path).filter((path) => !/^react(\/|$)/.test(path));
if (modules.length === 0 || foreign.length + unexpected.length > 0) {
  console.error(`The browser's bundle must not carry: ${[...foreign, ...unexpected].join(", ") || "nothing at all"}`);
  process.exit(1);
}
console.log(
  `The browser's bundle has ${modules.length} modules, all of ${relative(root, home)} or named in scripts/bundle.mjs.`,
);

/** What the demo's page pays for its session in all: definition, client, tRPC's client, schemas and superjson; a KB is 1,000 bytes. */
const most = 36_000;
const { outputFiles } = await build({
  entryPoints: [join(root, "apps", "demo", "src", "client.ts")],
  bundle: true,
  minify: true,
  format: "esm",
  platform: "browser",
  define: { "process.env.NODE_ENV": '"production"' },
  write: false,
  logLevel: "silent",
});
const [page] = outputFiles;
const bytes = page ? gzipSync(page.contents, { level: 9 }).length : 0;
if (bytes === 0 || bytes > most) {
  console.error(`The session's part of the demo's page is ${bytes} bytes, gzipped, more than ${most}`);
  process.exit(1);
}
console.log(`The session's part of the demo's page is ${bytes} bytes, gzipped.`);
