import { setTimeout as pause } from "node:timers/promises";
import { SessionError } from "@catnap/shared";
import { deadlineIn, within } from "../deadline.ts";
import { ServerClock } from "./clock.ts";
import { brief } from "./commit.ts";
import type { Command, RedisDriver } from "./driver.ts";
import { codeOf, translate } from "./errors.ts";
import { identifierIn } from "./keys.ts";
import { numberOf } from "./replies.ts";
import { type Script, timeScript } from "./scripts.ts";
import { isDone } from "./session-scripts.ts";

/** For how long a call waits for a client that has lost its connection, in milliseconds, before it rejects; a client that stays without one longer rejects at once. */
const reconnectMs = 1_000;

/** How long to wait for a slot that is on its way from one server to another, before it is asked for again. */
const movingMs = 50;

interface CallOptions {
  /** How long a call may take, in milliseconds. */
  readonly timeoutMs: number;
  /** How many replicas have to have a change, and how long to wait for them, in milliseconds. */
  readonly wait: { readonly replicas: number; readonly timeoutMs: number } | undefined;
  /** Called once, when the server has answered for the first time. */
  readonly reached: () => void;
}

type Names = readonly [string, ...string[]];
type Send<T> = (key: string, command: Command) => Promise<T>;

/** Calls of one store to its server: each ends at its deadline, and what it rejects with is the contract's. */
export class RedisCalls {
  readonly #driver: RedisDriver;
  readonly #options: CallOptions;
  readonly #clocks = new Map<string, ServerClock>();
  /** By how much a change's deadline for the server is before the caller's: for the answer's way, and for clocks that go apart. */
  readonly #marginMs: number;
  #closed = false;
  #reached = false;
  #downSince: number | undefined;

  constructor(driver: RedisDriver, options: CallOptions) {
    this.#driver = driver;
    this.#options = options;
    this.#marginMs = Math.min(100, options.timeoutMs / 10);
  }

  close(): void {
    this.#closed = true;
  }

  command(key: string, name: string, ...args: string[]): Promise<unknown> {
    return this.#run(key, () => this.#driver.send(key, [name, key, ...args]));
  }

  /** Runs a script. All keys are in one slot; the first is the session's, if it is about one. */
  evaluate(script: Script, names: Names, args: readonly string[]): Promise<unknown> {
    return this.#run(names[0], (deadline) => this.#script(script, names, args, deadline, this.#driver.send));
  }

  /**
   * As `evaluate`, for what must not happen once its caller has been told that it failed: the arguments name the server's
   * time after which the script refuses, since a stalled connection, or a client that sends again, may deliver it long
   * after. With `wait` it asks in the same breath how many replicas have it.
   */
  change(script: Script, names: Names, args: (until: string) => readonly string[]): Promise<unknown> {
    return this.#run(names[0], async (deadline) => {
      const clock = this.#clockOf(names[0]);
      const last = deadline - this.#marginMs;
      for (;;) {
        await clock.set(() => this.#time(names[0], deadline));
        const sent = performance.now();
        try {
          const until = brief(Math.max(0, Math.floor(clock.at(last))));
          const reply = await this.#confirmed(script, names, args(until), deadline);
          if (isDone(reply)) clock.hear(numberOf(reply[2]), sent, performance.now());
          return reply;
        } catch (error) {
          if (codeOf(error) !== "LATE") throw error;
          clock.unset();
          if (performance.now() >= last) throw error;
          // There is time left by our clock: the server's is another than we knew, and nothing was written.
        }
      }
    });
  }

  async #run<T>(key: string, work: (deadline: number) => Promise<T>): Promise<T> {
    try {
      if (this.#closed || this.#driver.state() !== "ready") await this.#connected();
      const deadline = deadlineIn(this.#options.timeoutMs);
      const reply = await within(deadline, "The session server", work(deadline.at));
      if (!this.#reached) {
        this.#reached = true;
        this.#options.reached();
      }
      return reply;
    } catch (error) {
      throw translate(error, identifierIn(key));
    }
  }

  /** Waits for a connection, so that no command lies in the client's queue after its caller was told that it failed. */
  async #connected(): Promise<void> {
    for (;;) {
      if (this.#closed) throw new SessionError("STORE_UNAVAILABLE", "This redisStore is closed: make another one");
      const state = this.#driver.state();
      if (state === "ready") return;
      if (state === "closed") {
        const remedy = "connect the client before its first use";
        throw new SessionError("STORE_UNAVAILABLE", `The session server is not connected: ${remedy}`);
      }
      if (this.#downSince === undefined) void this.#attend();
      if (performance.now() - (this.#downSince ?? performance.now()) > Math.min(reconnectMs, this.#options.timeoutMs)) {
        throw new SessionError("STORE_UNAVAILABLE", "The session server is not connected: make sure that it is up");
      }
      await pause(10);
    }
  }

  /** Looks after a client that has lost its connection until it is back, whether anybody calls or not: the next outage is another one. */
  async #attend(): Promise<void> {
    this.#downSince = performance.now();
    while (!this.#closed && this.#driver.state() === "connecting") await pause(10, undefined, { ref: false });
    this.#downSince = undefined;
  }

  /** Runs a script by its name where the server knows it. */
  async #script<T>(script: Script, names: Names, args: readonly string[], deadline: number, send: Send<T>): Promise<T> {
    const rest = [String(names.length), ...names, ...args];
    let command: Command = ["EVALSHA", script.sha, ...rest];
    for (;;) {
      try {
        return await send(names[0], command);
      } catch (error) {
        const code = codeOf(error);
        if (code === "NOSCRIPT") command = ["EVAL", script.source, ...rest];
        else if (code === "TRYAGAIN") await pause(movingMs);
        else throw error;
        // Nobody waits for it any more.
        if (performance.now() >= deadline) throw error;
      }
    }
  }

  async #confirmed(script: Script, names: Names, args: readonly string[], deadline: number): Promise<unknown> {
    const { wait } = this.#options;
    const { sendBoth } = this.#driver;
    if (!wait || !sendBoth) return this.#script(script, names, args, deadline, this.#driver.send);
    const waiting: Command = ["WAIT", String(wait.replicas), String(Math.ceil(wait.timeoutMs))];
    const both = (key: string, command: Command) => sendBoth(key, command, waiting);
    const [reply, replicas] = await this.#script(script, names, args, deadline, both);
    if (isDone(reply) && numberOf(replicas) < wait.replicas) {
      throw new SessionError(
        "STORE_UNAVAILABLE",
        `Only ${replicas} of ${wait.replicas} replicas have the commit: see to the replicas, then try again`,
      );
    }
    return reply;
  }

  /** Each server of a cluster has a clock of its own, and a shard may move from one to another. */
  #clockOf(key: string): ServerClock {
    const place = this.#driver.sharded ? key.slice(0, key.indexOf("}")) : "";
    const clock = this.#clocks.get(place) ?? new ServerClock();
    this.#clocks.set(place, clock);
    return clock;
  }

  async #time(key: string, deadline: number): Promise<number> {
    return numberOf(await this.#script(timeScript, [key], [], deadline, this.#driver.send));
  }
}
