import { expect, test } from "../src/puppeteer-test.ts";
import { type Places, sum } from "../src/tally.ts";
import { troubles } from "../src/troubles.ts";
import { Visit } from "../src/visit.ts";

const kinds = Object.entries(troubles);
/** Each trouble twice; more of them, by the environment, for a longer look: up to 400, when the cart may be full. */
const rounds = Math.min(Number(process.env.CATNAP_ROUNDS ?? 2 * kinds.length), 400);

const nowhere = { changes: expect.any(Number), acknowledged: 0, outbox: 0, server: 0, both: 0, lost: 0 };

test(`in ${rounds} rounds of trouble every change counts once`, { tag: "@chromium" }, async ({
  chromium,
  server,
  wire,
}) => {
  test.setTimeout(30_000 + rounds * 5_000);
  const found = new Map<string, Places[]>(kinds.map(([name]) => [name, []]));
  const visit = await Visit.begin(chromium, server, wire);
  for (let round = 0; round < rounds; ) {
    for (const [name, { leaves, happens }] of kinds.slice(0, rounds - round)) {
      await test.step(`round ${round}: ${name}`, async () => {
        // Every other time the tab pushes by itself; the other times it is looked at again, which makes it push at once.
        visit.beginRound(round, Math.floor(round / kinds.length) % 2 === 1);
        const heal = await happens(visit);
        const places = await visit.look();
        expect(places, "where the changes are").toEqual({ ...nowhere, ...leaves });
        found.get(name)?.push(places);
        wire.mend();
        await heal();
        await visit.settled();
      });
      round++;
    }
  }
  console.log(report(found));
});

function report(found: ReadonlyMap<string, readonly Places[]>): string {
  const { changes, acknowledged, outbox, server, both, lost } = sum([...found.values()].flat());
  const lines = [...found].map(([name, all]) => {
    const { changes, ...places } = sum(all);
    const filled = Object.entries(places).filter(([, count]) => count > 0);
    return `  ${all.length} × ${name}: ${changes} changes, ${filled.map(([place, count]) => `${place} ${count}`).join(", ")}`;
  });
  return [
    `${rounds} rounds, ${changes} changes: ${lost} lost, none doubled, in the end all in the server once.`,
    `Before anything was healed, ${acknowledged} were acknowledged, each in the server once; of the ${changes - acknowledged}`,
    `that were not, ${outbox} were in an outbox only, ${server} in the server only, ${both} in both.`,
    ...lines,
  ].join("\n");
}
