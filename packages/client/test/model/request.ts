import { type Message, reach, type Tab } from "./device.ts";

/** What the server has made of a request. */
export interface Served {
  readonly cookies: readonly string[];
  /** Of the response. */
  readonly text: string;
}

/** Where a request comes to a halt: on its way there, on its way back, or when the headers of its answer have arrived. */
export type Halt = "there" | "back" | "body";

/** In seconds: for so long some gateways send everybody away. */
export const month = 2_592_000;

/** A request of a tab on the simulated network, and what a gateway between the tab and the server makes of it. */
export class SimulatedRequest implements Message {
  readonly tab: Tab;
  readonly cookie: string;
  readonly first: boolean;
  answer?: NonNullable<Message["answer"]>;
  /** What `fetch` gives. */
  readonly response: Promise<Response>;
  readonly #serve: () => Promise<Served | "too large">;
  readonly #signal: RequestInit["signal"];
  #resolve: (response: Response) => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;
  /** Nothing of it reaches the tab any more, but its deadline. */
  halted = false;

  /** `serve` is called for each time that it arrives. */
  constructor(tab: Tab, first: boolean, signal: RequestInit["signal"], serve: () => Promise<Served | "too large">) {
    this.tab = tab;
    this.cookie = tab.device.cookie;
    this.first = first;
    this.#signal = signal;
    this.#serve = serve;
    this.response = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  async handle(): Promise<void> {
    const served = await this.#serve();
    if (served === "too large") this.refuse(413);
    else this.#answer(200, served.text, served.cookies);
  }

  fail(): void {
    if (!this.halted) this.#reject(new TypeError("Failed to fetch"));
  }

  /** A gateway answers in the place of the server, with a page for people. */
  refuse(status: number, retryAfter?: number): void {
    this.tab.device.giveUp ||= status === 413;
    this.#answer(status, `<h1>${status}</h1>`, [], retryAfter);
  }

  /** Nothing more happens to it in its tab, until that gives it up. */
  async halt(where: Halt): Promise<void> {
    if (where !== "there" && !this.answer) await this.handle();
    if (where === "body" && this.answer) {
      const { cookies } = this.answer;
      const text = () => new Promise<string>((_, reject) => this.#atDeadline(reject));
      this.answer = { cookies, settle: () => this.#resolve({ status: 200, text } as Response) };
      return;
    }
    this.halted = true;
    delete this.answer;
    this.#atDeadline(this.#reject);
  }

  #answer(status: number, text: string, cookies: readonly string[], retryAfter?: number): void {
    const headers = new Map(retryAfter === undefined ? [] : [["retry-after", String(retryAfter)]]);
    // Whole ones of a `Response` would take a tenth of a schedule's time.
    const response = { status, headers, text: async () => text } as unknown as Response;
    // What has halted is not heard of, not even its cookies.
    this.answer = this.halted
      ? { cookies: [], settle: () => undefined }
      : { cookies, settle: () => this.#resolve(response) };
  }

  #atDeadline(reject: (error: Error) => void): void {
    const over = () => reject(new DOMException("The request has no answer", "TimeoutError"));
    this.#signal?.addEventListener("abort", () => reach(this.tab, over));
  }
}
