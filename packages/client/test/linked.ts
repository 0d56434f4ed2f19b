import { createTRPCClient, httpBatchLink, type TRPCLink } from "@trpc/client";
import superjson from "superjson";
import { sessionLink } from "../src/index.ts";
import { type createWorld, open, type Tab } from "./world.ts";

export type AppRouter = ReturnType<typeof createWorld>["router"];
export type Ending = (options: { url: string; transformer: typeof superjson; fetch: never }) => TRPCLink<AppRouter>;

const url = "https://shop.test/trpc";
// tRPC's type of a fetch is another, without undefined.
export const optionsOf = ({ fetch }: Pick<Tab, "fetch">) => ({ url, transformer: superjson, fetch: fetch as never });

/** An app's own client in a tab whose session is awake, and has been home before. */
export async function openShop({
  link = httpBatchLink,
  before = [],
}: {
  link?: Ending;
  before?: TRPCLink<AppRouter>[];
} = {}) {
  const { world, browser } = open();
  const tab = browser.tab();
  const { session } = tab;
  await session.awake();
  session.setValue("theme", "dark");
  await session.sleep();
  world.requests.length = 0;
  const api = createTRPCClient<AppRouter>({ links: [...before, sessionLink(session), link(optionsOf(tab))] });
  /** What was asked for, request by request. */
  const asked = () => world.requests.map(({ path }) => path);
  return { world, browser, tab, session, api, asked };
}

export const line = { sku: "lamp", qty: 1 };
