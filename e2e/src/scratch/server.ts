import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { initTRPC } from "@trpc/server";
import { createHTTPHandler } from "@trpc/server/adapters/standalone";
import { createSessions, memoryStore, type Sessions } from "catnap/server";
import { build } from "esbuild";
import { scratch } from "./session.ts";

function createRouter(sessions: Sessions<typeof scratch>) {
  const t = initTRPC.context<{ session: ReturnType<typeof sessions.wake> }>().create();
  const procedure = t.procedure.use(sessions.middleware);
  return t.router({ session: sessions.router({ procedure }) });
}

/** The page's script, built once for all tests of a worker. */
let script: Promise<string> | undefined;
async function bundle(): Promise<string> {
  const entryPoints = [fileURLToPath(new URL("page.ts", import.meta.url))];
  const built = await build({ entryPoints, bundle: true, format: "esm", write: false, minify: true });
  return built.outputFiles[0]?.text ?? "";
}

/** Bare pages with a session, and their server, in the process of the test: it can stop a push on its way. */
export class ScratchServer {
  readonly url: string;
  /** The bodies of all pushes that arrived. */
  readonly pushes: string[] = [];
  /** What pages have told beside the session, by `/told?…`. */
  readonly told = new Set<string>();
  /** Each push waits for it before it is looked at. */
  gate: Promise<void> = Promise.resolve();
  /** While it is set, nobody gets through to the session. */
  refuses = false;
  readonly #server: Server;
  readonly #store = memoryStore();
  readonly #sessions: Sessions<typeof scratch>;

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
    this.#sessions = createSessions({ definition: scratch, store: this.#store, origins: [url], sweepInterval: 0 });
  }

  static async start(): Promise<ScratchServer> {
    script ??= bundle();
    const page = `<!doctype html><meta charset="utf-8"><title>Scratch</title><script type="module">${await script}</script>`;
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const scratchServer = new ScratchServer(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const sessions = scratchServer.#sessions;
    const router = createRouter(sessions);
    const handle = createHTTPHandler({
      router,
      basePath: "/trpc/",
      createContext: async (from) => {
        const session = sessions.wake(from);
        if (from.info.calls[0]?.path === "session.sync") {
          scratchServer.pushes.push(JSON.stringify(await from.info.calls[0].getRawInput()));
          await scratchServer.gate;
        }
        return { session };
      },
    });
    server.on("request", (request, response) => {
      if (request.url?.startsWith("/told?")) scratchServer.told.add(request.url.slice(6));
      if (scratchServer.refuses && request.url?.startsWith("/trpc/")) request.destroy();
      else if (request.url?.startsWith("/trpc/")) handle(request, response);
      else response.setHeader("content-type", "text/html").end(request.url === "/away" ? "<h1>Away</h1>" : page);
    });
    return scratchServer;
  }

  /** What the server holds of the one session that there is. */
  async held(): Promise<Record<string, unknown>> {
    const { items } = await this.#store.find({ limit: 2 });
    if (items.length > 1) throw new Error(`There are ${items.length} sessions`);
    const record = items[0] && (await this.#store.read(items[0].identifier));
    const own = [...(record?.entries ?? [])].filter(([name]) => scratch.keys.has(name));
    return Object.fromEntries(own.map(([name, { value }]) => [name, JSON.parse(value ?? "null")]));
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await this.#sessions.close();
  }
}
