import { counter, defineSession, homeOf, merge, type SessionSnapshot, value } from "@catnap/shared";
import { z } from "zod";
import type { ClientSession, Expired } from "../../src/index.ts";
import { linkedTab } from "../../src/link/linked-tab.ts";
import type { Epoch } from "../../src/replica/rows.ts";
import type { SimulatedChannels } from "./channels.ts";
import type { SimulatedDisk } from "./disk.ts";
import type { SimulatedLocks } from "./locks.ts";
import type { SimulatedMarks } from "./marks.ts";

const before = { note: z.string(), visits: { ...counter(), adopt: true } };

export const definition = defineSession({
  shared: {
    ...before,
    mood: z.object({ name: z.string() }),
    tags: value(z.array(z.string()).default([]), { merge: merge.union }),
  },
  migrate: { mood: (stored) => ({ name: String(stored) }) },
});
type Definition = typeof definition;

/** Of processes and pages: the older version of the app has no tags, and moods are texts. */
export type Version = "older" | "newer";
export const definitions: Record<Version, Definition> = {
  newer: definition,
  // Nobody asks it for tags, and whoever asks for a mood knows the version.
  older: defineSession({ shared: { ...before, mood: z.string() } }) as never,
};

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

/** One browser: its cookies, what its tabs share, and they. */
export interface Device {
  cookie: string;
  /** Whether it takes the cookies that it is given. */
  keeps: boolean;
  /** What the server has rendered for it last: a page that it may open later. */
  rendered?: SessionSnapshot;
  readonly disk: SimulatedDisk;
  readonly marks: SimulatedMarks;
  readonly channels: SimulatedChannels;
  readonly locks: SimulatedLocks;
  readonly tabs: Tab[];
  /** How often its apps were told what became of a change. */
  told: number;
  /** The keys of changes that its apps were told to be given up, since somebody looked. */
  readonly refused: string[];
  /** A request of its tabs was too large for its way: what it carried may have been given up. */
  giveUp: boolean;
  /** The notes that the server has made of its tabs' changes, whether or not an answer arrived, and in which session. */
  owed: Map<string, string>;
  /** Its clock's error, in milliseconds. */
  readonly skew: number;
  /** Whether its tabs follow a live stream, which one of them has. */
  readonly live: boolean;
}

export interface Tab {
  readonly device: Device;
  readonly session: ClientSession<Definition>;
  readonly page: { readonly window: EventTarget; readonly document: EventTarget & { visibilityState: string } };
  readonly expired: Expired[];
  readonly version: Version;
  /** Where notes of its changes are listed: its device's list, as it was when the tab opened. */
  readonly owed: Map<string, string>;
  alive: boolean;
  frozen: boolean;
  /** Nothing has happened in the tab since the page was left. */
  left: boolean;
  /** Until then, changes of keys with a merge wait for their turn on the disk. */
  pausedUntil: number;
  /** What reached the tab while it was frozen. */
  readonly held: (() => void)[];
}

/** The identifier that a tab knows, without asking for one to be made. */
export function identityOf(tab: Tab): string | null {
  return homeOf(tab.session).state().identifier;
}

/** The type of a session of any definition. */
const partsOf = ({ session }: Tab) => linkedTab(session as unknown as ClientSession);

/** How many changes of its own wait in the tab. */
export const ownOf = (tab: Tab): number => partsOf(tab).replica.outbox.own.size;

/** Whether the tab waits for an answer; or, if it can be seen and has cookies, for anything of its own to get home. */
export function waits(tab: Tab): boolean {
  if (partsOf(tab).sync.flying) return true;
  const { state, problem } = tab.session.status();
  const isSeen = tab.page.document.visibilityState === "visible";
  return problem?.code !== "NO_COOKIE" && isSeen && (state === "offline" || ownOf(tab) > 0);
}

/** It happens to the tab as soon as that is there to see it. */
export function reach(tab: Tab, task: () => void): void {
  if (!tab.alive) return;
  if (tab.frozen) tab.held.push(task);
  else task();
}

/** What a server has set a cookie to. */
export function setCookie(device: Device, cookie: string): void {
  if (device.keeps) device.cookie = /max-age=0/i.test(cookie) ? "" : (cookie.split(";")[0] ?? "");
}

/**
 * Whether all that the tab has changed outlives it: it is on disk, as the tab says, which does not know of a disk that does
 * not answer; or the page has just been left, which puts aside what may not be there. `given`: the disk was given it.
 */
export function isSafe({ device, session, left }: Tab, given = true): boolean {
  return left || (given && session.status().storage === "disk" && device.disk.health !== "stuck");
}

/** Texts that were read, since a schedule looks after every step: reading takes longer than the step. */
const read = new Map<string, Epoch>();

/** What the device's tabs have agreed on, if they have. */
export function epochOf({ marks }: Device): Epoch | undefined {
  const text = marks.items.get("catnap:catnap") ?? "";
  if (text[0] !== "{") return undefined;
  const known = read.get(text) ?? (JSON.parse(text) as Epoch);
  if (read.size > 100) read.clear();
  read.set(text, known);
  return known;
}
