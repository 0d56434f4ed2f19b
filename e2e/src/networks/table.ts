import type { NetworkSettings, Ports } from "./server.ts";

/** A network over which everything comes home. */
export interface Syncing extends NetworkSettings {
  readonly name: string;
  /** Why the browser gets no live stream over it: what the console is to name. */
  readonly liveless?: string;
}

/** A network over which changes cannot come home, and what the visitor's page tells of it. */
export interface Limping extends NetworkSettings {
  readonly name: string;
  /** `null`: the browser tells pages no more than that there was no answer. */
  readonly problem: { readonly code: string; readonly names: string } | null;
}

const gateway = "Bearer of the key";
const [own, door] = [
  ({ app }: Ports) => `http://127.0.0.1:${app}/`,
  (ports: Ports) => `http://127.0.0.1:${ports.door}/`,
];
const here = () => "/trpc";
const elsewhere = { page: door, api: ({ app }: Ports) => `http://127.0.0.1:${app}/trpc`, cors: true };
/** Browsers take `localhost` for a secure place and for another site than 127.0.0.1. */
const otherSite = {
  page: door,
  api: ({ app }: Ports) => `http://localhost:${app}/trpc`,
  cors: true,
  credentials: true,
};
const byName = { page: ({ app }: Ports) => `http://shop.test:${app}/`, api: here };
const framed = { page: ({ app }: Ports) => `http://localhost:${app}/`, api: here, framed: true };
const guarded = { page: door, api: here, demands: gateway };
const embedded = { secure: true, sameSite: "none", partitioned: true } as const;

export const syncing: readonly Syncing[] = [
  { name: "the page's own origin", page: own, api: here },
  { name: "an API on another origin, with credentials", ...elsewhere, credentials: true },
  { name: "an API of another site, with a cookie for it", ...otherSite, cookie: embedded },
  { name: "a gateway, with its header", ...guarded, authorization: gateway, streamsWithHeaders: true },
  {
    name: "a gateway, with its header in all but the stream",
    ...guarded,
    authorization: gateway,
    liveless: "http.headers and EventSource",
  },
  {
    name: "a proxy that strips a path",
    page: (ports) => `${door(ports)}shop/`,
    api: () => "/shop/api/trpc",
    strips: "/shop",
    cookie: { path: "/shop" },
  },
  { name: "plain HTTP on another host, with an insecure cookie", ...byName, cookie: { secure: false } },
  { name: "a frame of another site, with a cookie for it", ...framed, cookie: embedded },
];

export const limping: readonly Limping[] = [
  {
    name: "an API on another origin, without credentials",
    ...elsewhere,
    problem: { code: "NO_COOKIE", names: "credentials, in http.fetch" },
  },
  {
    name: "an API of another site, with an ordinary cookie",
    ...otherSite,
    problem: { code: "NO_COOKIE", names: "cookie" },
  },
  {
    name: "an API that does not list the page's origin",
    ...elsewhere,
    credentials: true,
    listed: false,
    problem: { code: "UNREACHABLE", names: "createSessions({ origins })" },
  },
  { name: "an API whose CORS does not let the page read", ...elsewhere, cors: false, problem: null },
  { name: "a gateway, without its header", ...guarded, problem: { code: "UNREACHABLE", names: "http.headers" } },
  {
    name: "plain HTTP on another host, with a secure cookie",
    ...byName,
    problem: { code: "NO_COOKIE", names: "on plain HTTP set cookie.secure to false" },
  },
  {
    name: "a frame of another site, with an ordinary cookie",
    ...framed,
    problem: { code: "NO_COOKIE", names: "cookie.partitioned" },
  },
];
