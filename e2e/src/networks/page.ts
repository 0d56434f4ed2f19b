import { createTRPCClient, httpBatchLink, httpBatchStreamLink, httpLink } from "@trpc/client";
import { createSessionClient, sessionLink } from "catnap/client";
import { EventSource } from "eventsource";
import type { AppRouter, PageSettings } from "./server.ts";
import { noted } from "./session.ts";

const links = { httpLink, httpBatchLink, httpBatchStreamLink };
/** What may end the app's own tRPC client. */
export type LinkName = keyof typeof links;

// The page's own server has written it.
const settings: PageSettings = JSON.parse(document.querySelector("script[type='application/json']")?.textContent ?? "");
const { authorization, credentials } = settings;

const headers = authorization === undefined ? {} : { authorization };
const send = (url: string | URL | Request, init?: object) =>
  fetch(url, { ...init, ...(credentials && { credentials }) });
class EventSourceWithHeaders extends EventSource {
  constructor(url: string | URL) {
    super(url, { fetch: (to, init) => send(to, { ...init, headers: { ...init.headers, ...headers } }) });
  }
}

// As docs/browser.md has it: one object for the session and for the app's own link.
const http = {
  url: settings.url,
  headers: () => headers,
  fetch: send,
  ...(credentials && { eventSourceOptions: { withCredentials: true } }),
  ...(settings.streamsWithHeaders && { EventSource: EventSourceWithHeaders }),
};

const session = createSessionClient({ definition: noted, http, live: true });

const trpcBy = (link: LinkName) => createTRPCClient<AppRouter>({ links: [sessionLink(session), links[link](http)] });

declare global {
  /** The page's session and the app's own calls, for tests. */
  var app: { readonly session: typeof session; readonly trpcBy: typeof trpcBy };
}

globalThis.app = { session, trpcBy };
void session.awake();
