import { DurableObject } from "cloudflare:workers";
import { createSessions } from "catnap/server";
import { sqliteStore } from "catnap/sqlite";
import { createServer } from "./server";
import { shop } from "./session";

interface Env {
  SHOP: DurableObjectNamespace<Shop>;
}

const day = 86_400_000;

/** One object answers all requests, and its SQL keeps their sessions. */
export class Shop extends DurableObject<Env> {
  // An alarm sweeps: a timer would keep the object from going to sleep.
  readonly #sessions = createSessions({ definition: shop, store: sqliteStore(this.ctx.storage), sweepInterval: 0 });
  readonly #server = createServer(this.#sessions);

  override async fetch(request: Request) {
    if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.setAlarm(Date.now() + day);
    return this.#server.fetch(request);
  }

  override async alarm() {
    await this.#sessions.sweep();
  }
}

export default {
  fetch: (request, env) => env.SHOP.getByName("shop").fetch(request),
} satisfies ExportedHandler<Env>;
