import { maxNotes } from "@catnap/shared";
import { type Device, epochOf, identityOf } from "./device.ts";
import type { World } from "./world.ts";

/** Holds what apps were told of their changes against what the server has to tell: each note once in a browser, and none is left out. */
export class Notes {
  /** By device, the names of notes that it knows to be told. */
  readonly #heard = new Map<Device, Set<string>>();
  readonly #cleared = new Set<Device>();

  /** After every step: a device that says it heard has told its app, once. */
  observe(world: World): void {
    for (const device of world.devices) {
      const heard = this.#of(device);
      for (const name of epochOf(device)?.heard ?? []) heard.add(name);
      if (device.told > 0) world.reached.add("a note, told");
      if (heard.size !== device.told && !this.#cleared.has(device)) {
        throw new Error(`${device.told} notes were told, of these: ${[...heard].join(", ")}`);
      }
    }
  }

  /** The device's storage was cleared. A tab that lives on tells again what it has not heard to be told. */
  forgot(device: Device): void {
    if (device.tabs.length > 0) this.#cleared.add(device);
    this.#heard.delete(device);
    // What its tabs of that time send is nobody's to hear of: they are of another profile, and may lose their session.
    device.owed = new Map();
    device.told = 0;
  }

  /** The server has forgotten what it knew. */
  wentBack({ devices }: World): void {
    for (const { owed } of devices) owed.clear();
  }

  /** At rest: no note is left of which nobody was told, though its answer was lost. */
  check({ devices }: World): void {
    for (const device of devices) {
      const identifiers = device.tabs.map(identityOf);
      // Of more the server keeps the latest, until somebody has heard of them.
      const kept = [...device.owed].filter(([, identifier]) => identifiers.includes(identifier)).slice(-maxNotes);
      const untold = kept.filter(([name]) => !this.#of(device).has(name));
      if (untold.length > 0) throw new Error(`Nobody was told of ${untold.join("; ")}`);
    }
  }

  #of(device: Device): Set<string> {
    const heard = this.#heard.get(device) ?? new Set();
    this.#heard.set(device, heard);
    return heard;
  }
}
