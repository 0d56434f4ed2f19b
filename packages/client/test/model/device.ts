import { counter, defineSession, homeOf, merge, value } from "@catnap/shared";
import { z } from "zod";
import type { ClientSession, Expired } from "../../src/index.ts";
import type { SimulatedDisk } from "./disk.ts";

export const definition = defineSession({
  shared: {
    note: z.string(),
    visits: counter(),
    tags: value(z.array(z.string()).default([]), { merge: merge.union }),
  },
});
type Definition = typeof definition;

/** A request on its way, and its answer on the way back, or an event of a live stream: the schedule decides what becomes of each. */
export interface Message {
  readonly tab: Tab;
  readonly cookie: string;
  /** It begins a session. */
  readonly first?: boolean;
  handle(): Promise<unknown>;
  /** What the server has answered; absent while the request has not arrived. */
  answer?: { readonly cookies: readonly string[]; readonly settle: () => void };
  fail(): void;
}

/** One browser: its cookies, its disk, its marks, its tabs. */
export interface Device {
  cookie: string;
  readonly disk: SimulatedDisk;
  readonly marks: Map<string, string>;
  readonly tabs: Tab[];
  /** Its clock's error, in milliseconds. */
  readonly skew: number;
  /** Whether its tabs follow live streams, each one of its own. */
  readonly live: boolean;
}

export interface Tab {
  readonly device: Device;
  readonly session: ClientSession<Definition>;
  readonly page: { readonly window: EventTarget; readonly document: EventTarget & { visibilityState: string } };
  readonly expired: Expired[];
  alive: boolean;
  frozen: boolean;
  /** What reached the tab while it was frozen. */
  readonly held: (() => void)[];
}

/** The identifier that a tab knows, without asking for one to be made. */
export function identityOf(tab: Tab): string | null {
  return homeOf(tab.session).state().identifier;
}
