import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { Miniflare } from "miniflare";

/**
 * Serves the Worker in Cloudflare's runtime, bundled as wrangler does it. `store` is where the app keeps its sessions: in the
 * Worker's memory, or in a Durable Object's SQL.
 */
export async function startWorker(store: "memory" | "sql") {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("../app/worker.ts", import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    platform: "browser",
    conditions: ["workerd", "worker", "browser"],
    external: ["node:*"],
  });
  const miniflare = new Miniflare({
    modules: true,
    script: outputFiles[0]?.text ?? "",
    // The earliest that has what `catnap/sqlite` imports.
    compatibilityDate: "2025-09-15",
    compatibilityFlags: ["nodejs_compat"],
    bindings: { STORE: store },
    durableObjects: {
      SHOP: { className: "Shop", useSQLite: true },
      LAW: { className: "Law", useSQLite: true },
    },
  });
  return { url: (await miniflare.ready).href, stop: () => miniflare.dispose() };
}

/** Holds the store over a Durable Object's SQL to the contract's laws. Throws with the first that it breaks. */
export async function keepLaws(url: string): Promise<void> {
  const ask = async (path: string) => (await fetch(new URL(path, url))).json();
  for (const name of (await ask("laws")) as string[]) {
    const { kind, reason } = (await ask(`laws?${encodeURIComponent(name)}`)) as { kind: string; reason?: string };
    // It saves a round trip to a database, and this one is in the process.
    if (kind !== "kept" && reason !== "the store has no recall") throw new Error(`${name}: ${kind}, ${reason}`);
  }
}
