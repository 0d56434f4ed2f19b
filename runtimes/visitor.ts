import { createTRPCClient, httpBatchLink } from "@trpc/client";
import { createSessionClient } from "catnap/client";
import { EventSource } from "eventsource";
import superjson from "superjson";
import { type AppRouter, shop } from "./app/app.ts";

/** What a page of the app says. */
export interface Page {
  theme: string;
  visits: number;
  user: string | null;
}

/** A browser's worth of HTTP: keeps cookies, and has the app's tRPC client and the session's real one. */
export function createVisitor(url: string) {
  const jar = new Map<string, string>();

  async function send(to: string | URL | Request, init?: RequestInit): Promise<Response> {
    const request = new Request(typeof to === "string" ? new URL(to, url) : to, init);
    if (jar.size > 0) request.headers.set("cookie", [...jar].map((pair) => pair.join("=")).join("; "));
    const response = await fetch(request);
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = "", content = ""] = /^([^=]*)=([^;]*)/.exec(cookie) ?? [];
      if (/max-age=0/i.test(cookie)) jar.delete(name);
      else jar.set(name, content);
    }
    return response;
  }

  /** One that sends the cookies. */
  class VisitorEventSource extends EventSource {
    constructor(address: string | URL) {
      super(address, { fetch: (to, init) => send(to, init as RequestInit) });
    }
  }

  const http = { url: `${url}trpc`, transformer: superjson, fetch: send, EventSource: VisitorEventSource };
  const trpc = createTRPCClient<AppRouter>({ links: [httpBatchLink(http)] });
  return {
    jar,
    trpc,
    async get<T = Page>(path = ""): Promise<T> {
      const response = await send(path);
      if (!response.ok) throw new Error(`/${path} is answered ${response.status}: ${await response.text()}`);
      return (await response.json()) as T;
    },
    /** A tab of this browser. */
    tab: () => createSessionClient({ definition: shop, http, live: true }),
  };
}
