import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { createSessionClient } from "@catnap/client";
import { defineSession, type SessionSnapshot } from "@catnap/shared";
import { Suspense, use } from "react";
import { renderToPipeableStream } from "react-dom/server";
import { expect, test } from "vitest";
import { z } from "zod";
import { createSessionHooks } from "./index.ts";

const shop = defineSession({
  shared: { note: z.string().default("nobody"), lines: z.array(z.string()).default([]) },
  readonly: { user: z.object({ name: z.string() }) },
});
const { SessionProvider, useSession, useSessionStatus, useSessionValue } = createSessionHooks<typeof shop>();

const never = () => Promise.reject(new Error("a server has called the server"));
// As an app's module has it, which all requests share.
const client = createSessionClient({ definition: shop, http: { url: "/trpc", fetch: never } });

const visitors = Array.from({ length: 100 }, (_, i) => `visitor-${i}`);
const parts = 5;

/** Of a visitor whose number ends in 9 the server knows nothing. */
const isUnknown = (who: string) => who.endsWith("9");

function snapshotOf(who: string, i: number): SessionSnapshot {
  const nobody = { identifier: null, rev: 0, entries: {}, decided: {}, facts: null };
  if (isUnknown(who)) return nobody;
  const entry = (value: unknown) => ({ value: JSON.stringify(value), rev: i + 1 });
  const entries = { note: entry(`${who} note`), lines: entry([`${who} line`]), user: entry({ name: `${who} name` }) };
  return { ...nobody, identifier: who.padEnd(22, "_"), rev: i + 1, entries };
}

/** Numbers from 0 to 1, the same for the same seed. */
function randomFrom(seed: number) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Reads before and after it has waited for its data, by the hooks and by the session itself. */
function Part({ data, children }: { data: Promise<string>; children?: React.ReactNode }) {
  const [note] = useSessionValue("note");
  const what = use(data);
  const [lines] = useSessionValue("lines");
  const session = useSession();
  const { state } = useSessionStatus();
  const name = session.value("user", { name: "nobody" }).name;
  return (
    <section title={state}>
      {[what, note, ...lines, name, session.value("note"), session.toJSON().identifier].join(", ")}
      <Suspense fallback={`wait, ${note}`}>{children}</Suspense>
    </section>
  );
}

/** Renders a page whose parts' data come in any order. */
function render(who: string, i: number, random: () => number): Promise<string> {
  const late = async (part: number) => {
    for (let turns = random() * 30; turns > 0; turns--) await new Promise(setImmediate);
    return `part ${part}`;
  };
  const data = Array.from({ length: parts }, (_, part) => late(part));
  let page: React.ReactNode = null;
  for (const [part, one] of data.entries()) {
    page = (
      <Suspense fallback="wait">
        <Part data={one}>{page}</Part>
        <Part data={data[(part + 2) % parts] as Promise<string>} />
      </Suspense>
    );
  }
  return new Promise((resolve, reject) => {
    const { pipe } = renderToPipeableStream(
      <SessionProvider client={client} initialSnapshot={snapshotOf(who, i)}>
        <Part data={late(parts)}>{page}</Part>
      </SessionProvider>,
      { onShellReady: () => resolve(text(pipe(new PassThrough()))), onShellError: reject, onError: reject },
    );
  });
}

test("of a hundred visitors whose pages are streamed at once, through one client, none gets a value of another's", async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = randomFrom(seed);
  const pages = await Promise.all(visitors.map((who, i) => render(who, i, random)));
  for (const [i, page] of pages.entries()) {
    const who = visitors[i] as string;
    const found = new Set(page.match(/visitor-\d+/g));
    expect([...found], `seed ${seed}`).toEqual(isUnknown(who) ? [] : [who]);
    const whole = isUnknown(who)
      ? "nobody, nobody, nobody, "
      : `${who} note, ${who} line, ${who} name, ${who} note, ${who}`;
    // Each of the parts, twice, and the first once.
    expect(page.split(`, ${whole}`).length - 1, `seed ${seed}`).toBe(2 * parts + 1);
  }
  expect([client.value("note"), client.hasValue("user"), client.toJSON().identifier]).toEqual(["nobody", false, null]);
});
