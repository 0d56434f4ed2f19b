// Serves the README's app from the samples that were cut out of it, in the folder that this was started in: its server under
// tRPC's standalone adapter, and a page with its client and its component.
import { createServer } from "node:http";
import { join } from "node:path";
import { createHTTPHandler } from "@trpc/server/adapters/standalone";
import { build } from "esbuild";

const folder = process.cwd();
const page = await bundle(
  `import { createRoot } from "react-dom/client";
   import { App } from "./app";
   createRoot(document.getElementById("root")).render(<App />);`,
  { platform: "browser", jsx: "automatic", write: false },
);
const serverFile = join(folder, "server.mjs");
await bundle(`export * from "./server";`, { platform: "node", packages: "external", outfile: serverFile });
const { appRouter, createContext } = await import(serverFile);

const trpc = createHTTPHandler({ router: appRouter, createContext, basePath: "/trpc/" });
createServer((request, response) => {
  if (request.url?.startsWith("/trpc/")) return trpc(request, response);
  response.setHeader("content-type", "text/html; charset=utf-8");
  response.end(`<!doctype html><title>Shop</title><div id="root"></div><script type="module">${page}</script>`);
}).listen(Number(process.env.CATNAP_SAMPLES_PORT), "localhost");

/** Bundles an entry that stands among the samples, and gives the text. */
async function bundle(/** @type {string} */ contents, /** @type {import("esbuild").BuildOptions} */ options) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: folder, loader: "tsx" },
    bundle: true,
    format: "esm",
    minify: true,
    ...options,
  });
  // Inside a script element its end tag must not occur.
  return outputFiles?.[0]?.text.replaceAll("</script", "<\\/script") ?? "";
}
