// Serves the Worker as Cloudflare would, with its data in .data; `wrangler dev` does the same, and more.
import { Miniflare } from "miniflare";

const port = Number(process.env.PORT ?? 3000);
const miniflare = new Miniflare({
  port,
  modules: true,
  scriptPath: "dist/worker.js",
  compatibilityDate: "2026-04-01",
  compatibilityFlags: ["nodejs_compat"],
  assets: { directory: "public", routerConfig: { has_user_worker: true } },
  durableObjects: { SHOP: { className: "Shop", useSQLite: true } },
  durableObjectsPersist: ".data",
});
await miniflare.ready;
console.log(`http://localhost:${port}`);
