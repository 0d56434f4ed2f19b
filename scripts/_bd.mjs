// bundle + breakdown by source: bytes in minified output, and gzip delta if the module's text is left out
import { build } from "esbuild";
import { gzipSync } from "node:zlib";
import { writeFileSync } from "node:fs";
const r = await build({
  stdin: { contents: `export { counter, defineSession, isSessionError, merge, SessionError, value } from "./packages/catnap/src/index.ts"; export { ClientSession, createSessionClient } from "./packages/client/src/index.ts";`, resolveDir: process.cwd(), loader: "ts" },
  bundle: true, minify: true, format: "esm", write: false, metafile: true, conditions: ["source"],
  external: ["@trpc/client","@trpc/server","superjson","zod","react"], define: {"process.env.NODE_ENV": '"production"'}, target: "es2022",
});
const text = r.outputFiles[0].text; writeFileSync("/tmp/out.js", text);
console.log("min", text.length, "gz", gzipSync(text, {level: 9}).length);
const [o] = Object.values(r.metafile.outputs);
for (const [f, { bytesInOutput }] of Object.entries(o.inputs).sort((a, b) => b[1].bytesInOutput - a[1].bytesInOutput)) if (bytesInOutput) console.log(String(bytesInOutput).padStart(6), f);
