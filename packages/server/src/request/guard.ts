import { crossSite, foreignerBehind } from "../identity/cross-site.ts";
import type { Settings } from "../settings.ts";
import type { Exchange } from "./exchange.ts";

/** Lets no page of another site change anything through one request. */
export class Guard {
  readonly #settings: Settings;
  readonly #exchange: Exchange;
  readonly #what: string;
  #passed = false;

  /** `what` the request is about, for the report: the tRPC paths, or the URL's. */
  constructor(settings: Settings, exchange: Exchange, what: string) {
    this.#settings = settings;
    this.#exchange = exchange;
    this.#what = what;
  }

  /** Refuses a cross-site request with `CROSS_SITE`, or reports it once, as the settings say. Reads nothing of the session. */
  pass(): void {
    if (this.#passed) return;
    const foreigner = foreignerBehind(this.#exchange, this.#settings.origins);
    if (foreigner) {
      if (this.#settings.guard === "refuse") throw crossSite(foreigner);
      this.#settings.report({ kind: "cross-site", what: this.#what, ...foreigner });
    }
    this.#passed = true;
  }
}
