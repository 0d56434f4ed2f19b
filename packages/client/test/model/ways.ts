import type { Tab } from "./device.ts";
import { month, SimulatedRequest } from "./request.ts";
import type { Step } from "./schedule.ts";
import type { User } from "./user.ts";
import type { World } from "./world.ts";

/** What a schedule does to the ways between tabs and server, other than losing what is on them. */
export class Ways {
  /** The longest that a gateway has sent somebody away for; absent: nothing was done to any way. */
  retryAfterMs: number | undefined;
  readonly #world: World;
  readonly #user: User;

  constructor(world: World, user: User) {
    this.#world = world;
    this.#user = user;
  }

  async take(one: Step & { do: "hang" | "gateway" | "limit" }, tab: Tab | undefined): Promise<void> {
    const world = this.#world;
    if (one.do === "limit") {
      world.wire.mostBytes = one.bytes;
      if (one.essay && tab && !tab.frozen) this.#user.act(tab, "essay");
      return this.#met(0);
    }
    if (this.#requests.length === 0 && tab && !tab.frozen) {
      this.#user.act(tab, "visit");
      this.#user.act(tab, "sleep");
      await world.settle();
    }
    const request = this.#requests[one.message % Math.max(1, this.#requests.length)];
    if (!request) return;
    if (one.do === "hang") {
      world.reached.add(one.where === "body" ? "a body that never ends" : "a request that hangs");
      await request.halt(one.where);
      if (one.where === "body") world.answer(request);
      return this.#met(0);
    }
    if (one.handled) await world.deliver(request);
    // What the server has handled no gateway has refused.
    const { status, retryAfter } = request.answer ? { status: 502, retryAfter: undefined } : one;
    if (status === 502 && request.answer) world.reached.add("a gateway's failure after a commit");
    world.reached.add(retryAfter === month ? "a gateway's refusal for a month" : "a gateway's refusal");
    request.refuse(status, retryAfter);
    world.answer(request);
    this.#met(1000 * (retryAfter ?? 0));
  }

  /** What is on its way. An event of a live stream is no request of its own, and a stream has no deadline. */
  get #requests(): SimulatedRequest[] {
    return this.#world.messages.filter((one) => one instanceof SimulatedRequest).filter(({ halted }) => !halted);
  }

  #met(retryAfterMs: number): void {
    this.retryAfterMs = Math.max(this.retryAfterMs ?? 0, retryAfterMs);
  }
}
