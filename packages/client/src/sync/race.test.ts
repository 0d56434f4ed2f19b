import fc from "fast-check";
import { expect, test } from "vitest";
import { createWorld, type Fate, type Tab } from "../../test/world.ts";

type Step =
  | { readonly do: "count" | "add" | "sleep" | "awake" | "leave" | "kill"; readonly tab: number }
  | { readonly do: "fate"; readonly fate: Fate };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("count" as const), tab: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("add" as const), tab: fc.nat(2) }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom("sleep" as const, "awake" as const, "leave" as const), tab: fc.nat(2) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("kill" as const), tab: fc.nat(2) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("fate" as const),
      fate: fc.constantFrom<Fate>("ok", "lost", "answer lost"),
    }),
  },
);

test("whatever is lost, doubled or killed, every change that was on disk is in the store once, and all tabs agree", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const world = createWorld();
      const browser = world.browser();
      const tabs: Tab[] = [browser.tab(), browser.tab(), browser.tab()];
      // The session exists: before it does, an outbox may end in whichever session comes first.
      tabs[0]?.session.setValue("note", "start");
      await tabs[0]?.session.awake();
      await tabs[0]?.session.sleep();
      await Promise.all(tabs.map(({ session }) => session.awake()));
      let [counted, added] = [0, 0];
      for (const one of steps) {
        if (one.do === "fate") {
          world.fate = () => one.fate;
          continue;
        }
        const tab = tabs[one.tab] as Tab;
        if (one.do === "count") tab.session.update("visits", (n) => n + Math.sign(++counted));
        if (one.do === "add") tab.session.update("cart", (lines) => [...lines, { sku: `sku${added++}`, qty: 1 }]);
        if (one.do === "sleep") await tab.session.sleep().catch(() => undefined);
        if (one.do === "awake") await tab.session.awake();
        if (one.do === "leave") tab.page.leave();
        if (one.do === "kill") {
          // On disk first: what a tab has not written when its process dies is lost with it.
          for (let i = 0; i < 20 && (await stored(browser)) < tab.session.status().pending; i++);
          tab.kill();
          tabs[one.tab] = browser.tab();
        }
        await Promise.resolve();
      }
      world.fate = () => "ok";
      for (const { session } of tabs) await session.awake();
      const views = () => tabs.map(({ session }) => [session.value("visits"), session.value("cart").length]);
      const truth = async () => {
        const { entries } = await browser.server();
        const lines = JSON.parse(entries.cart?.value ?? "[]") as unknown[];
        return [Number(entries.visits?.value ?? 0), lines.length];
      };
      const agreed = tabs.map(() => [counted, added]);
      const quiet = () =>
        tabs.every(({ session }) => session.status().state === "synced") &&
        JSON.stringify(views()) === JSON.stringify(agreed);
      for (let patience = 4000; patience > 0 && !quiet(); patience--) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      expect(await truth()).toEqual([counted, added]);
      expect(views()).toEqual(agreed);
    }),
    {
      numRuns: Number(process.env.CATNAP_RUNS ?? 40),
      // Left while its disk is being read.
      examples: [
        [
          [
            { do: "kill", tab: 0 },
            { do: "count", tab: 0 },
            { do: "leave", tab: 0 },
          ],
        ],
      ],
    },
  );
}, 120_000);

/** How many changes of all tabs are on disk. */
async function stored(browser: ReturnType<ReturnType<typeof createWorld>["browser"]>): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 5));
  return [...(await browser.rows()).keys()].filter((name) => name.startsWith("op:")).length;
}
