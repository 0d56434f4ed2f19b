import { DurableObject } from "cloudflare:workers";
import { createShop } from "./shop";

interface Env {
  SHOP: DurableObjectNamespace<Shop>;
}

const day = 86_400_000;

/** One object holds all sessions, and answers all requests: its SQL is where they rest, and nobody else can reach it. */
export class Shop extends DurableObject<Env> {
  readonly #shop = createShop(this.ctx.storage);

  override async fetch(request: Request) {
    if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.setAlarm(Date.now() + day);
    return this.#shop.fetch(request);
  }

  /** Removes the sessions that have expired. */
  override async alarm() {
    await this.#shop.sweep();
  }
}

export default {
  fetch: (request, env) => env.SHOP.getByName("shop").fetch(request),
} satisfies ExportedHandler<Env>;
