import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { columns } from "./figure.ts";

const entry = `
export { counter, defineSession, isSessionError, merge, SessionError, value } from "@catnap/shared";
export { createSessionClient } from "@catnap/client";`;

/** By what a page gets from it, the files of the packages that the client is made of. */
const rooms: readonly (readonly [what: string, files: RegExp])[] = [
  ["definition: keys, schemas, merges", /shared\/src\/(definition|option-checks)/],
  ["values as texts, patches, errors, timers", /shared\/src\/(?!session\/)/],
  ["the Session object", /shared\/src\/session\/|client\/src\/session\.ts/],
  ["replica: what a tab shows, and what waits", /client\/src\/replica\/(?!heirlooms)/],
  ["sync: rounds, answers, pace, one transport", /client\/src\/sync\/(?!live|siblings)/],
  ["the page's life: awake, hide, freeze, close", /client\/src\/(page|tab|client)[^/]*\.ts/],
  ["disk: IndexedDB, and what it refuses", /client\/src\/storage\/(?!journal|epochs)|idb-keyval/],
  ["journal: what an ending page has not saved", /client\/src\/storage\/journal/],
  ["epochs and life: the end of a session in all tabs", /client\/src\/(storage\/epochs|life)/],
  ["tabs tell each other", /client\/src\/sync\/siblings/],
  ["live stream", /client\/src\/sync\/live/],
  ["values that are adopted after an expiry", /client\/src\/replica\/heirlooms/],
];

/** The bytes of `catnap` and `catnap/client` by what they are for: each part's share of the minified text, in gzipped bytes. */
export async function byRoom(): Promise<string> {
  const { outputFiles, metafile } = await build({
    stdin: { contents: entry, resolveDir: import.meta.dirname },
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: "esm",
    define: { "process.env.NODE_ENV": '"production"' },
    external: ["@trpc/*", "superjson", "zod"],
  });
  const [output] = outputFiles;
  const factor = gzipSync(output!.contents, { level: 9 }).length / output!.contents.length;
  const inputs = Object.entries(Object.values(metafile.outputs)[0]!.inputs);
  const lines = rooms.map(([what, files]) => {
    const mine = inputs.filter(([file]) => rooms.find(([, each]) => each.test(file))?.[1] === files);
    return [what, mine.reduce((sum, [, { bytesInOutput }]) => sum + bytesInOutput * factor, 0)] as const;
  });
  return columns([["part of the client", "bytes"], ...lines.map(([what, bytes]) => [what, bytes.toFixed(0)])]);
}
