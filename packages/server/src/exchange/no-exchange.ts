import type { Exchange } from "./exchange.ts";

/** Where a session is opened without a request: nothing comes from a browser, and nothing goes to one. */
export const noExchange: Exchange = {
  unasked: true,
  method: null,
  header: () => null,
  canSetCookie: () => false,
  setCookie: () => false,
  setHeader: () => undefined,
  keepPrivate: () => undefined,
  host: null,
  url: null,
  address: null,
};
