import type { Session, Transaction } from "@catnap/shared";
import type { Settings } from "../settings.ts";
import type { Fork } from "./fork.ts";

/** The turns of a session's life during one request, of which the app's hooks and its subclass are told once, however many calls there are. */
export class Life {
  readonly #settings: Settings;
  readonly #trans: Transaction;
  readonly #fork: Fork;
  readonly #session: Session;

  /** `fork` is where hooks read and write. */
  constructor(settings: Settings, fork: Fork, trans: Transaction) {
    this.#settings = settings;
    this.#trans = trans;
    this.#fork = fork;
    this.#session = new settings.Session(fork);
  }

  async awake(): Promise<void> {
    await this.#settings.hooks?.awake?.(this.#session, this.#trans);
    await this.#session.awake(this.#trans);
  }

  async respondAndSleep(): Promise<void> {
    await this.#settings.hooks?.respond?.(this.#session, this.#trans);
    await this.#session.respond(this.#trans);
    await this.#settings.hooks?.sleep?.(this.#session, this.#trans);
    await this.#session.sleep(this.#trans);
  }

  /** No hook will be told anything any more: what one has left running finds the fork closed. */
  close(): void {
    this.#fork.close();
  }
}
