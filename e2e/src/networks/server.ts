import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { initTRPC } from "@trpc/server";
import { createHTTPHandler } from "@trpc/server/adapters/standalone";
import { type CookieOptions, createSessions, memoryStore, type Sessions } from "catnap/server";
import { build } from "esbuild";
import { noted } from "./session.ts";

/** The two ports of a network: the app's own server, and what stands before it or beside it. */
export interface Ports {
  readonly app: number;
  readonly door: number;
}

/** What lies between a page and its API. */
export interface NetworkSettings {
  /** The address that the visitor opens, in a frame of another site where it is `framed`. */
  readonly page: (ports: Ports) => string;
  readonly framed?: boolean;
  /** The API, as the page names it. */
  readonly api: (ports: Ports) => string;
  readonly cookie?: CookieOptions;
  /** Whether the server lists the page's origin in `origins`; `false`: it lists another one. */
  readonly listed?: boolean;
  /** Whether the API lets the page's origin read its answers, by CORS. */
  readonly cors?: boolean;
  /** The page sends its credentials to another origin. */
  readonly credentials?: boolean;
  /** The door lets nobody to the API without this header. */
  readonly demands?: string;
  /** What the page sends in it. */
  readonly authorization?: string;
  /** The page's `EventSource` sends headers, unlike the browser's own. */
  readonly streamsWithHeaders?: boolean;
  /** What the door takes off the path before it hands a request on. */
  readonly strips?: string;
}

/** What a page is told of its network. */
export interface PageSettings {
  readonly url: string;
  readonly credentials: "include" | undefined;
  readonly authorization: string | undefined;
  readonly streamsWithHeaders: boolean;
}

function createRouter(sessions: Sessions<typeof noted>) {
  const t = initTRPC.context<{ session: ReturnType<typeof sessions.wake> }>().create();
  const procedure = t.procedure.use(sessions.middleware);
  return t.router({
    session: sessions.router({ procedure }),
    /** What the server sees of the note. */
    look: procedure.mutation(({ ctx }) => ctx.session.value("note", "")),
    /** The same, and it changes the session. */
    mark: procedure.mutation(({ ctx }) => {
      ctx.session.update("marks", (marks) => (marks ?? 0) + 1);
      return ctx.session.value("note", "");
    }),
  });
}
export type AppRouter = ReturnType<typeof createRouter>;

/** The page's script, built once for all tests of a worker. */
let script: Promise<string> | undefined;
async function bundle(): Promise<string> {
  const entryPoints = [fileURLToPath(new URL("page.ts", import.meta.url))];
  const built = await build({ entryPoints, bundle: true, format: "esm", write: false, minify: true });
  // Inside a script element its end tag must not occur.
  return built.outputFiles[0]?.text.replaceAll("</script", "<\\/script") ?? "";
}

/** The app's server behind one of the networks, in the process of the test. */
export class NetworkServer {
  /** What the visitor opens. */
  readonly url: string;
  /** Where the app is: the same, or the address in the frame. */
  readonly page: string;
  /** The procedures that were asked for, those of a batch in one text; but for live streams. */
  readonly asked: string[] = [];
  readonly #servers: readonly Server[];
  readonly #settings: NetworkSettings;
  readonly #ports: Ports;
  readonly #store = memoryStore();
  readonly #sessions: Sessions<typeof noted>;

  private constructor(servers: readonly [Server, Server], settings: NetworkSettings, html: string) {
    const [app, door] = servers;
    const ports = { app: portOf(app), door: portOf(door) };
    this.#servers = servers;
    this.#settings = settings;
    this.#ports = ports;
    this.page = settings.page(ports);
    this.url = settings.framed ? `http://127.0.0.1:${ports.app}/around` : this.page;
    const { origin } = new URL(this.page);
    const { cookie = {}, listed = true } = settings;
    this.#sessions = createSessions({
      definition: noted,
      store: this.#store,
      cookie,
      origins: [listed ? origin : `http://127.0.0.1:${ports.app}`],
      sweepInterval: 0,
    });
    const api = createHTTPHandler({
      router: createRouter(this.#sessions),
      basePath: "/trpc/",
      createContext: async (from) => ({ session: this.#sessions.wake(from) }),
    });
    app.on("request", (incoming, outgoing) => {
      const { url = "/" } = incoming;
      if (url.startsWith("/trpc/")) {
        const [path = ""] = url.slice("/trpc/".length).split("?");
        if (incoming.method === "POST") this.asked.push(path);
        if (settings.cors && allow(incoming, outgoing, origin)) return;
        api(incoming, outgoing);
      } else {
        const frame = `<!doctype html><title>Around</title><iframe src="${this.page}" width="300" height="300"></iframe>`;
        outgoing.setHeader("content-type", "text/html; charset=utf-8").end(url === "/around" ? frame : html);
      }
    });
    door.on("request", (incoming, outgoing) => this.#pass(incoming, outgoing));
  }

  static async start(settings: NetworkSettings): Promise<NetworkServer> {
    script ??= bundle();
    const [app, door] = [createServer().listen(0, "127.0.0.1"), createServer().listen(0, "127.0.0.1")];
    await Promise.all([once(app, "listening"), once(door, "listening")]);
    const told: PageSettings = {
      url: settings.api({ app: portOf(app), door: portOf(door) }),
      credentials: settings.credentials ? "include" : undefined,
      authorization: settings.authorization,
      streamsWithHeaders: settings.streamsWithHeaders === true,
    };
    const html = `<!doctype html><title>Networks</title><link rel="icon" href="data:,">
      <script type="application/json">${JSON.stringify(told)}</script><script type="module">${await script}</script>`;
    return new NetworkServer([app, door], settings, html);
  }

  /** What the server holds of the one session that lives; nothing: none does, or it is empty. */
  async held(): Promise<Record<string, unknown>> {
    return Object.assign({}, ...(await this.#living()).map(({ values }) => values));
  }

  /** How many sessions have values. */
  async count(): Promise<number> {
    return (await this.#living()).length;
  }

  /** Another device, or a job, changes the note of the session. */
  async write(note: string): Promise<void> {
    for (const { identifier } of await this.#living()) {
      await this.#sessions.open(identifier, (session) => session.setValue("note", note));
    }
  }

  /** What has ended leaves a tombstone for a while, without values. */
  async #living(): Promise<{ identifier: string; values: Record<string, unknown> }[]> {
    const { items } = await this.#store.find({ limit: 10 });
    const records = await Promise.all(items.map(({ identifier }) => this.#store.read(identifier)));
    return records.flatMap((record) => {
      const own = [...(record?.entries ?? [])].filter(([name]) => noted.keys.has(name));
      const values = Object.fromEntries(own.map(([name, { value }]) => [name, JSON.parse(value ?? "null")]));
      return record && own.length > 0 ? [{ identifier: record.identifier, values }] : [];
    });
  }

  async close(): Promise<void> {
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
    await this.#sessions.close();
  }

  /** Hands a request on to the app, with the host that the browser has asked, as a proxy should. */
  #pass(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { demands, strips = "" } = this.#settings;
    const { method, headers, url = "/" } = incoming;
    if (!url.startsWith(`${strips}/`)) return void outgoing.writeHead(404).end("There is nothing here");
    const path = url.slice(strips.length).replace("/api/", "/");
    if (demands !== undefined && path.startsWith("/trpc/") && headers.authorization !== demands) {
      return void outgoing.writeHead(401, { "content-type": "application/json" }).end('{"error":"unauthorized"}');
    }
    const onward = request({ port: this.#ports.app, host: "127.0.0.1", method, headers, path }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      // What is streamed is not held back.
      outgoing.flushHeaders();
      answer.pipe(outgoing);
    });
    // Either end may go at any time: then the other one is told.
    onward.on("error", () => outgoing.destroy());
    outgoing.on("close", () => onward.destroy());
    incoming.pipe(onward);
  }
}

/** The CORS of an API whose pages are of another origin; `true`: that was all that was asked. */
function allow({ method, headers }: IncomingMessage, outgoing: ServerResponse, origin: string): boolean {
  if (headers.origin !== origin) return false;
  outgoing.setHeader("access-control-allow-origin", origin);
  outgoing.setHeader("access-control-allow-credentials", "true");
  outgoing.setHeader("access-control-expose-headers", "x-session-rev");
  if (method !== "OPTIONS") return false;
  outgoing.setHeader("access-control-allow-headers", "content-type, trpc-accept");
  outgoing.writeHead(204).end();
  return true;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
