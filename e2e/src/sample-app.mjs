// Serves the README's app from the samples that were cut out of it, in the folder that this was started in: its server under
// tRPC's standalone adapter, and a page with its client and its component. The samples of docs/browser.md that want a page have
// one each beside it: /form, with a server for its own definition, /when-read and /offline.
import { createServer } from "node:http";
import { join } from "node:path";
import { initTRPC } from "@trpc/server";
import { createHTTPHandler } from "@trpc/server/adapters/standalone";
import { createSessions } from "catnap/server";
import { sqliteStore } from "catnap/sqlite";
import { build } from "esbuild";

const folder = process.cwd();
/** The scripts of the pages, by path. */
const pages = {
  "/": `import { createRoot } from "react-dom/client";
    import { App } from "./app";
    createRoot(document.getElementById("root")).render(<App />);`,
  "/form": `import { createSessionClient } from "catnap/client";
    import { createRoot } from "react-dom/client";
    import { Email, SessionProvider, signup } from "./form";
    const client = createSessionClient({ definition: signup, http: { url: "/form/trpc" } });
    createRoot(document.getElementById("root")).render(<SessionProvider client={client}><Email /></SessionProvider>);`,
  "/when-read": `import { SessionProvider } from "catnap/react";
    import { createRoot } from "react-dom/client";
    import { App } from "./app";
    import { session } from "./client";
    import { WhenRead } from "./when-read";
    createRoot(document.getElementById("root")).render(
      <SessionProvider client={session}><WhenRead><App /></WhenRead></SessionProvider>,
    );`,
  "/offline": `import { session } from "./offline";
    globalThis.session = session;
    session.awake();`,
};
/** @type {Map<string, string>} */
const scripts = new Map();
for (const [path, contents] of Object.entries(pages)) {
  scripts.set(path, await bundle(contents, { platform: "browser", jsx: "automatic", write: false }));
}
const serverFile = join(folder, "server.mjs");
const exported = `export { appRouter, createContext } from "./server"; export { signup } from "./form";`;
await bundle(exported, { platform: "node", packages: "external", jsx: "automatic", outfile: serverFile });
const { appRouter, createContext, signup } = await import(serverFile);

const shop = createHTTPHandler({ router: appRouter, createContext, basePath: "/trpc/" });
const signups = createSessions({ definition: signup, store: sqliteStore("sessions.db") });
const t = initTRPC.context().create();
const form = createHTTPHandler({
  router: t.router({ session: signups.router({ procedure: t.procedure.use(signups.middleware) }) }),
  createContext: async (from) => ({ session: signups.wake(from) }),
  basePath: "/form/trpc/",
});

createServer((request, response) => {
  const { pathname } = new URL(request.url ?? "/", "http://localhost");
  if (pathname.startsWith("/trpc/")) return shop(request, response);
  if (pathname.startsWith("/form/trpc/")) return form(request, response);
  const script = scripts.get(pathname);
  response.setHeader("content-type", "text/html; charset=utf-8");
  response.writeHead(script === undefined ? 404 : 200);
  response.end(`<!doctype html><title>Shop</title><div id="root"></div><script type="module">${script}</script>`);
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
