import { Counters } from "./counters.ts";
import type { Device } from "./device.ts";
import { Notes } from "./notes.ts";
import { Reference } from "./reference.ts";
import type { World } from "./world.ts";

/** Looks at everything after every step, and knows what must be true. */
export class Watch {
  readonly reference: Reference = new Reference();
  readonly counters: Counters = new Counters();
  readonly notes: Notes = new Notes();
  readonly #world: World;
  #living: string[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  async observe(): Promise<void> {
    const living = await this.#world.identifiers();
    for (const identifier of this.#living.filter((one) => !living.includes(one))) {
      this.reference.died(identifier);
      this.counters.died(identifier);
    }
    this.#living = living;
    for (const device of this.#world.devices) {
      for (const key of device.refused.splice(0)) this.reference.refused(device, key);
      if (device.tabs.some(({ session }) => session.status().problem?.code === "UNKNOWN_KEY")) {
        this.#world.reached.add("a change that waits for another version");
      }
      if (device.giveUp) this.counters.lost(device);
      if (!device.keeps && device.tabs.some(({ session }) => session.status().problem?.code === "NO_COOKIE")) {
        this.#world.reached.add("a browser that keeps no cookie, and was told so");
      }
    }
    for (const { tabs } of this.#world.devices) {
      if (tabs.some(({ session }) => session.status().state === "expired" && session.hasValue("visits")))
        this.#world.reached.add("values that a browser has adopted");
    }
    this.reference.observe(this.#world);
    this.reference.refusedMoods(this.#world.wire.refusedMoods);
    this.counters.observe(this.#world);
    this.notes.observe(this.#world);
  }

  /** Requests arrive and are answered, and what they lead to, so many times. */
  async network(rounds: number): Promise<void> {
    const world = this.#world;
    for (let round = 0; round < rounds && world.messages.length > 0; round++) {
      for (const message of [...world.messages]) {
        // A stream that its tab has left takes its message along.
        if (!world.messages.includes(message)) continue;
        if (!message.answer) await world.deliver(message);
        world.answer(message);
        await world.settle();
        await this.observe();
      }
    }
  }

  /** The server has forgotten what it knew. */
  wentBack(): void {
    this.reference.wentBack();
    this.counters.wentBack();
    this.notes.wentBack(this.#world);
  }

  /** The device's storage was cleared. */
  cleared(device: Device): void {
    this.notes.forgot(device);
    this.reference.wiped(device);
  }
}
