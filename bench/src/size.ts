import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import type { Figure } from "./figure.ts";
import { byRoom } from "./rooms.ts";

const browser = `
export { counter, defineSession, isSessionError, merge, SessionError, value } from "catnap";
export { createSessionClient } from "catnap/client";`;
const hooks = `
export { SessionProvider, useSession, useSessionStatus, useSessionValue } from "catnap/react";`;

/** Bytes, minified and gzipped, of all that a browser loads of Catnap, idb-keyval included. */
async function bytes(entry: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents: entry, resolveDir: import.meta.dirname },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    define: { "process.env.NODE_ENV": '"production"' },
    external: ["@trpc/*", "react", "superjson", "zod"],
  });
  return gzipSync(outputFiles[0]!.contents, { level: 9 }).length;
}

/** What a page pays for the session, against its budget; a KB is 1,000 bytes. */
export async function besideBudget(): Promise<Figure[]> {
  const figure = async (what: string, entry: string, budget: number): Promise<Figure> => {
    const size = await bytes(entry);
    return { what, ours: `${size} bytes`, rival: `budget: ${budget} bytes`, ratio: size / budget, target: { most: 1 } };
  };
  console.log(`${await byRoom()}\n`);
  const without = "without tRPC, zod, superjson";
  return [
    await figure(`catnap + catnap/client + idb-keyval, min+gzip, ${without}`, browser, 10_000),
    await figure(`the same with catnap/react, ${without}, react`, browser + hooks, 10_400),
  ];
}
