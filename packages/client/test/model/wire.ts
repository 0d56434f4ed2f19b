import { type Answer, type ChangesInput, noteName, type Push, SessionError } from "@catnap/shared";
import type { HttpOptions } from "../../src/index.ts";
import { moodOf } from "./change.ts";
import { type Device, identityOf, type Message, type Tab } from "./device.ts";
import { SimulatedRequest } from "./request.ts";
import type { SimulatedServer } from "./server.ts";
import { SimulatedStream, type StreamListener } from "./stream.ts";
import type { Trouble } from "./tally.ts";

/** A tab that may be in the making. */
export interface Seat {
  tab?: Tab;
}

/** The network between tabs and server: each request is a message, and what becomes of it the schedule decides. */
export class Wire {
  readonly messages: Message[] = [];
  /** How many requests there were. */
  sent = 0;
  /** Names of moods that the server has refused, as it tells: it was not of the version that made them, or what it met was not. */
  readonly refusedMoods: Set<string> = new Set();
  /** A gateway before the server refuses what is larger. */
  mostBytes: number = Number.POSITIVE_INFINITY;
  readonly #server: SimulatedServer;
  readonly #reached: Set<Trouble>;
  /** All that there were since the server's last end, of which some still run. */
  readonly #streams: SimulatedStream[] = [];

  constructor(server: SimulatedServer, reached: Set<Trouble>) {
    this.#server = server;
    this.#reached = reached;
  }

  /** The streams that are open, of one device or of all. */
  streams(device?: Device): SimulatedStream[] {
    return this.#streams.filter(({ open, tab }) => open && (!device || tab.device === device));
  }

  /** Ends the streams of a tab that has ended. */
  leave(tab: Tab): void {
    for (const stream of this.#streams) if (stream.tab === tab) stream.unsubscribe();
  }

  /** Breaks all streams. */
  cut(): void {
    for (const stream of this.#streams.splice(0)) stream.break();
  }

  /** What a tab takes for its way to the server. */
  http(seat: Seat): HttpOptions {
    const wire = this;
    return {
      url: "https://shop.test",
      fetch: (url, init) => this.#send(seat, url.split(".").at(-1) as "sync" | "invalidate", init),
      EventSource: class {
        readonly #listeners = new Map<string, (event: MessageEvent) => void>();
        readonly #stream: { unsubscribe(): void };

        constructor(url: string) {
          const input = JSON.parse(new URL(url).searchParams.get("input") ?? "");
          this.#stream = wire.#subscribe(seat, input, (type, data) => this.#listeners.get(type)?.({ data } as never));
        }

        addEventListener(type: string, listener: (event: MessageEvent) => void): void {
          this.#listeners.set(type, listener);
        }

        close(): void {
          this.#stream.unsubscribe();
        }
      },
    };
  }

  #send({ tab }: Seat, path: "sync" | "invalidate", { body, signal }: RequestInit): Promise<Response> {
    if (!tab?.alive) return new Promise(() => undefined);
    const text = String(body);
    const { owed } = tab;
    const { cookie, disk } = tab.device;
    const { identifier, ops = [] } = JSON.parse(text) as Partial<Push>;
    if (ops.length > 0 && disk.health === "stuck") this.#reached.add("a push past a stuck disk");
    const waiting = tab.device.tabs.filter((each) => identityOf(each) === null && each.session.status().pending > 0);
    if (waiting.length > 1 && disk.health !== "fine") {
      this.#reached.add("the first pushes of several tabs, past a disk that does not work");
    }
    const request = new SimulatedRequest(tab, identifier === null, signal, async () => {
      if (text.length > this.mostBytes) {
        this.#reached.add("a push too large for a gateway");
        return "too large";
      }
      const input = JSON.parse(text);
      const { cookies, result, error } = await this.#server.call(cookie, (caller) => caller.session[path](input));
      if (path === "sync" && result) {
        owe(owed, input, result as Answer);
        this.#refuse(input, result as Answer);
      }
      const said =
        error === undefined
          ? { result: { data: result } }
          : { error: { message: String(error), data: { session: SessionError.from(error) } } };
      return { cookies, text: JSON.stringify(said) };
    });
    this.messages.push(request);
    this.sent++;
    return request.response;
  }

  #refuse({ ops }: Push, answer: Answer): void {
    for (const { key, seq, what, was } of answer.ok ? answer.notes : []) {
      if (what !== "rejected" || key !== "mood") continue;
      const value = was ?? ops.find((op) => op.seq === seq)?.value ?? "null";
      this.refusedMoods.add(String(moodOf(JSON.parse(value))));
      this.#reached.add("a change that met another version's type, refused");
    }
  }

  #subscribe({ tab }: Seat, input: ChangesInput, listener: StreamListener): { unsubscribe(): void } {
    if (!tab?.alive) return { unsubscribe() {} };
    const { device } = tab;
    const { cookie } = device;
    const heard: StreamListener = (type, data) => {
      if (type === "message" && device.tabs.length > 1) this.#reached.add("a stream's news for several tabs");
      listener(type, data);
    };
    const stream = new SimulatedStream(tab, this.messages, heard, (left, tell) =>
      this.#server.follow(cookie, input, left, tell),
    );
    this.#streams.push(stream);
    return stream;
  }
}

/** Notes what a device has to be told. Of a change that it may have repeated, only who sent it hears. */
function owe(owed: Tab["owed"], { writer }: Push, answer: Answer): void {
  if (!answer.ok || answer.identifier === null) return;
  for (const note of answer.notes) {
    if (note.what !== "lost" || note.writer !== writer) owed.set(noteName(note), answer.identifier);
  }
}
