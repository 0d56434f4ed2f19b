import { once } from "node:events";
import { connect, createServer } from "node:net";
import { start } from "./contestant.ts";
import type { Database } from "./databases.ts";
import type { Figure } from "./figure.ts";
import { fire, type Shot } from "./load.ts";

/** A wire to a database, on which it counts how often somebody speaks who was spoken to last: the round trips. */
async function wireTo(database: Database) {
  let trips = 0;
  const server = createServer((near) => {
    const far = connect(database.port, "127.0.0.1").setNoDelay();
    near.setNoDelay();
    let asking = false;
    near.on("data", () => {
      if (!asking) trips++;
      asking = true;
    });
    far.on("data", () => {
      asking = false;
    });
    // Either ends with the other; how is all the same.
    near.on("error", () => far.destroy()).pipe(far);
    far.on("error", () => near.destroy()).pipe(near);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return { database: { ...database, port }, trips: () => trips, close: () => server.close() };
}

type Wire = Awaited<ReturnType<typeof wireTo>>;

const requests = 50;

/** Round trips per request of a server by its name in `servers.ts`, without a cookie, reading and writing. */
async function tripsOf(wire: Wire, name: string, fill: string, read: Shot, write: Shot): Promise<number[]> {
  const { port, cookies, stop } = await start(name, () => ({ path: fill, body: {} }), wire.database);
  const [own = ""] = cookies;
  const found: number[] = [];
  for (const [shot, cookie] of [
    [read, "none=none"],
    [read, own],
    [write, own],
  ] as const) {
    // First what is not of each request: scripts, and statements that are not prepared yet.
    await fire(port, shot, [cookie], 5);
    const before = wire.trips();
    // One request after another, so that none shares a round trip with its neighbour.
    const count = await fire(port, shot, [cookie], requests);
    found.push((wire.trips() - before) / count);
  }
  stop();
  return found;
}

/** How often one request waits for the database, counted on the wire; access times that wait to be written are not in it. */
export async function roundTrips(kind: string, database: Database, rival: string): Promise<Figure[]> {
  const wire = await wireTo(database);
  const body = (n: number) => ({ key: "k50", value: `value ${n}` });
  const ours = await tripsOf(wire, `fetch/${kind}`, "/trpc/fill", { path: "/trpc/get" }, { path: "/trpc/set", body });
  const theirs = await tripsOf(wire, `express/${kind}`, "/fill", { path: "/get" }, { path: "/set", body });
  wire.close();
  return ["without a cookie", "that reads", "that writes"].map((what, most) => ({
    what: `round trips to ${kind} of a request ${what}`,
    ours: String(ours[most]),
    rival: `${rival}: ${theirs[most]}`,
    ratio: ours[most]!,
    target: { most },
  }));
}
