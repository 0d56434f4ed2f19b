import { defineSession } from "catnap";
import { createSessions, memoryStore } from "catnap/server";
import * as z from "zod";
import { type Figure, inTurn } from "./figure.ts";

const few = 100;
const many = 1_000;
const rounds = 100;

/** A request that begins a session and sets so many keys. */
function filling(count: number): () => Promise<number> {
  const names = Array.from({ length: count }, (_, n) => `k${n}`);
  const shared = Object.fromEntries(names.map((name) => [name, z.string()]));
  const sessions = createSessions({ definition: defineSession({ shared }), store: memoryStore(), sweepInterval: 0 });
  return async () => {
    const start = performance.now();
    await sessions.run(new Request("http://localhost/"), (session) => {
      for (const name of names) session.setValue(name, "x".repeat(20));
      return new Response();
    });
    return performance.now() - start;
  };
}

/** What a change costs in a request that makes many, against few: each the same. */
export async function besideFewKeys(): Promise<Figure[]> {
  const [one, other] = [filling(many), filling(few)];
  const [large, small] = await inTurn(rounds, one, other);
  const us = (ms: number) => `${(ms * 1e3).toFixed(0)} µs`;
  return [
    {
      what: `one request that sets ${many.toLocaleString("en")} keys of a new session, memory`,
      ours: us(large),
      rival: `one that sets ${few}: ${us(small)}`,
      ratio: large / small,
      target: { most: 15 },
    },
  ];
}
