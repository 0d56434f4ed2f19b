import type { Exchange } from "../exchange/exchange.ts";
import { crossSite, foreignerBehind } from "../identity/cross-site.ts";
import type { Settings } from "../settings.ts";

/** Lets no page of another site change anything through one request. */
export class Guard {
  readonly #settings: Settings;
  readonly #exchange: Exchange;
  readonly #what: string;
  readonly #navigation: boolean;
  #passed = false;

  /**
   * `what` the request is about, for the report: the tRPC paths, or the URL's. `isCall`: it is a call of tRPC's, and nobody
   * navigates to a procedure.
   */
  constructor(settings: Settings, exchange: Exchange, what: string, isCall = false) {
    this.#navigation = settings.navigation === "allow" && !isCall;
    this.#settings = settings;
    this.#exchange = exchange;
    this.#what = what;
  }

  /** Refuses a cross-site request with `CROSS_SITE`, or reports it once, as the settings say. Reads nothing of the session. */
  pass(): void {
    if (this.#passed) return;
    const foreigner = foreignerBehind(this.#exchange, this.#settings.origins, this.#navigation);
    if (foreigner) {
      if (this.#settings.guard === "refuse") throw crossSite(foreigner, this.#exchange);
      this.#settings.report({ kind: "cross-site", what: this.#what, ...foreigner });
    }
    this.#passed = true;
  }
}
