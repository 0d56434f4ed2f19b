import { setTimeout as pause } from "node:timers/promises";
import { type Contestant, start } from "./contestant.ts";
import { type Figure, quantile } from "./figure.ts";
import { attacks, honest, largeCart } from "./hostile.ts";
import { sized } from "./sizes.ts";

const visitors = 64;
const attackers = 4;
/** Between two requests of one visitor, and of one attacker, on the average. */
const visitorPauseMs = 200;
const attackerPauseMs = 200;

type Send = (path: string, cookie: string, body?: unknown) => Promise<string>;

/** One request after the other, with pauses, until the time is over; gives how long each took, in milliseconds. */
async function keepAsking(until: number, pauseMs: number, ask: (n: number) => Promise<unknown>): Promise<number[]> {
  const took: number[] = [];
  await pause(Math.random() * pauseMs);
  for (let n = 1; performance.now() < until; n++) {
    const before = performance.now();
    await ask(n);
    took.push(performance.now() - before);
    await pause(Math.random() * 2 * pauseMs);
  }
  return took;
}

/**
 * What ordinary visitors wait for while nobody else asks, while others send honest pushes, and while these are attackers who
 * send as many requests of the same lengths. Over Catnap's own codec: what an app's transformer does with a body before
 * Catnap sees it is the app's to bound.
 */
export async function besideAttackers(): Promise<Figure[]> {
  const seconds = sized("SECONDS", 60);
  const server = await start("fetch/attacked", () => ({ path: "/trpc/set", body: { key: "note", value: "a" } }));
  const send = sender(server);
  const begin = async () => {
    const response = await fetch(`http://127.0.0.1:${server.port}/trpc/set`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ key: "note", value: "a" }),
    });
    await response.text();
    const cookie = response.headers.getSetCookie()[0]?.split(";")[0] ?? "";
    const identifier = /=([^.]+)\./.exec(cookie)?.[1] ?? "";
    return { cookie, identifier };
  };
  const ordinary = await Promise.all(Array.from({ length: visitors }, begin));
  const hostile = await Promise.all(Array.from({ length: attackers }, begin));
  for (const { cookie, identifier } of hostile) await send("/trpc/session.sync", cookie, largeCart(identifier));
  const kinds = Object.values(attacks);
  const lengths = kinds.map((make) => JSON.stringify(make("i".repeat(22), 1)).length);

  const phase = async (duration: number, others?: (n: number, identifier: string) => unknown) => {
    const until = performance.now() + duration * 1_000;
    const visits = ordinary.map(({ cookie }) =>
      keepAsking(until, visitorPauseMs, (n) =>
        n % 4 === 0 ? send("/trpc/set", cookie, { key: "note", value: `value ${n}` }) : send("/trpc/get", cookie),
      ),
    );
    const pushes = others
      ? hostile.map(({ cookie, identifier }) =>
          keepAsking(until, attackerPauseMs, (n) => send("/trpc/session.sync", cookie, others(n, identifier))),
        )
      : [];
    const [took] = await Promise.all([Promise.all(visits), Promise.all(pushes)]);
    return quantile(took.flat(), 0.99);
  };
  await phase(5);
  let sent = 0;
  const alone = await phase(seconds / 4);
  const besideHonest = await phase(seconds / 4, (n, identifier) => {
    const bytes = lengths[n % kinds.length] ?? 0;
    return honest(identifier, 1_000_000 + sent++, bytes);
  });
  const besideHostile = await phase(seconds, (n, identifier) => kinds[n % kinds.length]?.(identifier, sent++));
  server.stop();
  const figure = (what: string, other: string, rival: number, most: number): Figure => ({
    what,
    ours: `${besideHostile.toFixed(1)} ms`,
    rival: `${other}: ${rival.toFixed(1)} ms`,
    ratio: besideHostile / rival,
    target: { most },
  });
  const what = `p99 of ${visitors} visitors beside ${attackers} attackers`;
  return [
    figure(what, "alone", alone, 2),
    figure(what, `beside ${attackers} browsers that push as many bytes`, besideHonest, 2),
  ];
}

function sender({ port }: Contestant): Send {
  return async (path, cookie, body) => {
    const headers = { cookie, "content-type": "application/json" };
    const init = body === undefined ? { headers } : { headers, method: "POST", body: JSON.stringify(body) };
    const once = async () => (await fetch(`http://127.0.0.1:${port}${path}`, init)).text();
    // A server that stands still for seconds closes connections just as they are used: the visitor asks again, and waits.
    return once().catch(once);
  };
}
