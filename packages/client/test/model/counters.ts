import { type Device, epochOf, identityOf, type Tab } from "./device.ts";
import type { World } from "./world.ts";

/** What a device remembers of sessions that have ended. */
export const endsOf = (device: Device): string => String(epochOf(device)?.past);

/** What each tab shows of the counter, which only rises: whatever arrives in whatever order, it never falls while the session lives. */
export class Counters {
  readonly #shown = new Map<Tab, { readonly identifier: string; readonly visits: number }>();
  /** What these have shown may have been lost since, and they have not shown that yet. */
  readonly #mayFall = new Set<Tab>();
  readonly #ends = new Map<Device, string>();
  /** Whose tabs do not know what is counted until they have heard of the server, all of them. */
  readonly #unsure = new Set<Device>();
  readonly #dead = new Set<string | null>();
  /** By device, the sessions that its tabs have met. */
  readonly #met = new Map<Device, Set<string | null>>();
  #wentBack = false;

  /** After every step. */
  observe({ devices }: World): void {
    for (const device of devices) {
      const { tabs } = device;
      const ended = endsOf(device) !== (this.#ends.get(device) ?? "");
      this.#ends.set(device, endsOf(device));
      // First requests more than a minute apart have begun two sessions, of which the browser keeps one.
      const sessions = new Set(tabs.map(identityOf).filter((identifier) => identifier !== null));
      const split = sessions.size > 1;
      // What a tab has made without a session may be part of one that has ended, as a sibling has sent it; it shows in all.
      if (ended && tabs.some((tab) => identityOf(tab) === null && tab.session.status().pending > 0)) {
        this.#unsure.add(device);
      }
      for (const tab of tabs) {
        // What had not gone home was given to the app as the session ended, though the browser may have met it again since.
        if (split || this.#isAnother(tab) || ended) this.#mayFall.add(tab);
        this.#look(tab);
      }
    }
  }

  /** The tab comes to a session that is not its device's first: of what it shows, siblings may have sent some to the one before. */
  #isAnother(tab: Tab): boolean {
    const identifier = identityOf(tab);
    const met = this.#met.get(tab.device) ?? new Set();
    this.#met.set(tab.device, met);
    if (identifier !== null) met.add(identifier);
    return identifier !== null && met.size > 1 && this.#shown.get(tab)?.identifier !== identifier;
  }

  /** The server has forgotten what it knew: until all have heard of it, a tab may show one past or the other. */
  wentBack(): void {
    this.#wentBack = true;
  }

  /** The session has ended. A late first push may begin one of that name anew, of which a frozen tab may think that it has not ended. */
  died(identifier: string): void {
    this.#dead.add(identifier);
  }

  /** Changes are lost of which the device's tabs may have shown something. */
  lost(device: Device): void {
    this.#unsure.add(device);
  }

  /** The tab hears later of changes whose tab is dead by then: it shows them until it knows what became of them. */
  missed(tab: Tab): void {
    this.#mayFall.add(tab);
  }

  #look(tab: Tab): void {
    const identifier = identityOf(tab);
    const before = this.#shown.get(tab);
    this.#shown.delete(tab);
    const unsure = this.#wentBack || this.#dead.has(identifier) || this.#unsure.has(tab.device);
    if (identifier === null || unsure) return;
    const visits = tab.session.value("visits");
    const lasts = before?.identifier === identifier && !tab.session.isExpired();
    if (lasts && visits < before.visits && !this.#mayFall.delete(tab)) {
      throw new Error(`A tab has shown ${before.visits} visits, and now shows ${visits}`);
    }
    this.#shown.set(tab, { identifier, visits });
  }
}
