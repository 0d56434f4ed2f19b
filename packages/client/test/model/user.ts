import type { Counters } from "./counters.ts";
import { isSafe, type Tab } from "./device.ts";
import type { Reference } from "./reference.ts";
import type { Step } from "./schedule.ts";
import type { World } from "./world.ts";

/** After these a page that was left is as it was left no more. */
const stirring: ReadonlySet<Step["do"]> = new Set([
  ...([
    "note",
    "essay",
    "unnote",
    "mood",
    "visit",
    "tag",
    "sleep",
    "awake",
    "invalidate",
    "hide",
    "show",
    "thaw",
  ] as const),
]);

const essay = "word ".repeat(200);

/** Who sits before the devices, and what happens to a page by itself. Each change has a name of its own. */
export class User {
  readonly #world: World;
  readonly #reference: Reference;
  readonly #counters: Counters;
  #acts = 0;

  constructor(world: World, reference: Reference, counters: Counters) {
    this.#world = world;
    this.#counters = counters;
    this.#reference = reference;
  }

  /** Does this in the tab, if it is something that is done in a tab. */
  act(tab: Tab, what: Step["do"]): void {
    const { session, page } = tab;
    const name = `${what}${++this.#acts}`;
    const fire = (visibility: "visible" | "hidden", target: EventTarget, event: string) => {
      page.document.visibilityState = visibility;
      target.dispatchEvent(new Event(event));
    };
    if (stirring.has(what)) tab.left = what === "hide";
    switch (what) {
      case "note":
        session.setValue("note", name);
        return this.#reference.changed(tab, "note", name, this.#world.time.now);
      case "essay":
        // Longer than some gateways let through.
        session.setValue("note", essay + name);
        return this.#reference.changed(tab, "note", essay + name, this.#world.time.now);
      case "unnote":
        if (!session.hasValue("note")) return;
        session.delValue("note");
        return this.#reference.changed(tab, "note", name, this.#world.time.now);
      case "mood": {
        const text = tab.version === "older" ? `text${name}` : name;
        // Types are those of the newer version.
        session.setValue("mood", tab.version === "older" ? (text as never) : { name: text });
        return this.#reference.changed(tab, "mood", text, this.#world.time.now);
      }
      case "visit":
        session.update("visits", (visits) => visits + 1);
        return this.#reference.changed(tab, "visits", name, this.#world.time.now);
      case "tag":
        if (tab.version === "older") return;
        session.update("tags", (tags) => [...tags, name]);
        return this.#reference.changed(tab, "tags", name, this.#world.time.now);
      case "sleep":
        return void session.sleep().catch(() => undefined);
      case "awake":
        return void Promise.resolve(session.awake()).catch(() => undefined);
      case "invalidate":
        this.#reference.wiped(tab.device);
        return void Promise.resolve(session.invalidate()).catch(() => undefined);
      case "hide":
        fire("hidden", page.window, "pagehide");
        return fire("hidden", page.document, "visibilitychange");
      case "show":
        return fire("visible", page.window, "pageshow");
      case "freeze":
        fire("hidden", page.document, "freeze");
        tab.frozen = true;
        return;
      case "thaw":
        this.#world.thaw(tab);
        return fire("visible", page.document, "resume");
      case "close":
        if (session.status().pending > 0 && !isSafe(tab)) {
          this.#world.reached.add("a tab closed with changes that its disk lacks");
        }
        this.act(tab, "hide");
        return this.act(tab, "kill");
      case "kill":
        if (session.status().pending > 0 && !isSafe(tab)) {
          // Its siblings may have shown what nobody has any more.
          this.#counters.lost(tab.device);
          this.#world.reached.add("a tab killed with changes in memory alone");
        }
        for (const each of tab.device.tabs) if (each.frozen) this.#counters.missed(each);
        this.#reference.killed(tab, this.#world.time.now);
        this.#world.kill(tab);
    }
  }
}
