import { defineSession } from "catnap";
import { createSessions, memoryStore } from "catnap/server";
import * as z from "zod";
import { type Figure, inTurn } from "./figure.ts";

const requests = 200;
const rounds = 60;
const lines = Array.from({ length: 200 }, (_, n) => ({ id: `article-${n}`, count: n, note: "x".repeat(20) }));

interface ReadonlyCart {
  value(name: "cart"): readonly unknown[];
}

/**
 * What it costs that values of other versions are checked before they are read: each once in a process, so that a request which
 * reads one costs little more than one that parses the same text itself.
 */
export async function besideUnchecked(): Promise<Figure[]> {
  const line = z.object({ id: z.string(), count: z.number(), note: z.string() });
  const definition = defineSession({ shared: { cart: z.array(line) } });
  const store = memoryStore();
  const sessions = createSessions({ definition, store, sweepInterval: 0 });
  const begun = await sessions.run(new Request("http://localhost/"), (session) => {
    session.setValue("cart", lines);
    return new Response();
  });
  const cookie = begun.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  const text = JSON.stringify(lines);
  const read = async (value: (session: ReadonlyCart) => readonly unknown[]) => {
    const start = process.cpuUsage();
    for (let n = 0; n < requests; n++) {
      await sessions.run(new Request("http://localhost/", { headers: { cookie } }), (session) => {
        if (value(session).length !== lines.length) throw new Error("the session has no cart");
        return new Response();
      });
    }
    const { user, system } = process.cpuUsage(start);
    return (user + system) / requests;
  };
  const byTheSession = () => read((session) => session.value("cart"));
  const [ours, theirs] = await inTurn(rounds, byTheSession, () => read(() => JSON.parse(text)));
  return [
    {
      what: "request that reads a value of 12 KB by a schema of 600 checks, memory",
      ours: `${ours.toFixed(0)} µs`,
      rival: `one that parses its text: ${theirs.toFixed(0)} µs`,
      ratio: ours / theirs,
      target: { most: 1.25 },
    },
  ];
}
