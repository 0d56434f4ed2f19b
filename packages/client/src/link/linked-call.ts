import { isSessionError } from "@catnap/shared";
import type { Operation } from "@trpc/client";
import { hasNoHome } from "../sync/transport.ts";
import type { LinkedTab } from "./linked-tab.ts";
import type { Meta, Next, Observer, Piggyback, Ride, Waiting } from "./piggyback.ts";
import { takeIn } from "./revision.ts";

/** The parts that `LinkedCall` needs. */
export interface LinkedCallParts {
  readonly linked: LinkedTab;
  readonly piggyback: Piggyback;
  readonly op: Operation;
  readonly next: Next;
  readonly observer: Observer;
}

/** One call of the app on its way through `sessionLink`. */
export class LinkedCall implements Waiting {
  readonly op: Operation;
  readonly next: Next;
  readonly #parts: LinkedCallParts;
  #inner: { unsubscribe(): void } | undefined;
  /** Settles when what was written before the call is home, or is not. */
  #home: Promise<void> = Promise.resolve();
  #sent = false;
  #over = false;
  /** It did not run, since the push before it was not decided, and that has been sent again. */
  #again = false;
  /** What has arrived and is not told yet. */
  #telling: Promise<void> | undefined;

  constructor(parts: LinkedCallParts) {
    this.#parts = parts;
    this.op = parts.op;
    this.next = parts.next;
  }

  /** Sends the call, a mutation once what this tab has written is home or in the same request. */
  start(): void {
    const { linked, piggyback } = this.#parts;
    const { tab, sync, replica } = linked;
    const { type, signal } = this.op;
    this.#sent = this.#again = false;
    if (type !== "mutation" || !(sync.forced || replica.outbox.own.size > 0)) return this.follow();
    // While something is set wrong the push may not arrive, and a call in the same request would run all the same.
    if (!sync.troubles.problem) piggyback.add(this, linked);
    signal?.addEventListener("abort", () => this.#sent || this.#fail(signal.reason), { once: true });
    this.#home = tab.sleep();
    this.#home
      .catch((error: unknown) => this.#sent || hasEnded(error) || this.#fail(causeOf(error)))
      .then(() => this.#sent || this.follow())
      .catch((error: unknown) => this.#fail(error));
  }

  /** Sends it now, behind a push or alone. */
  follow(ride?: Ride): void {
    const { op, next, observer, piggyback } = this.#parts;
    piggyback.delete(this);
    if (this.#over) return;
    this.#sent = true;
    this.#inner = next(op).subscribe({
      next: (value) => {
        this.#tell(this.#arrived(value.context, ride, op.type === "mutation"), () => observer.next?.(value));
      },
      error: (error) => {
        const { meta } = error as { meta?: Meta };
        this.#tell(this.#arrived(meta, ride, false), () => {
          if (this.#again) this.start();
          else observer.error?.(error);
        });
      },
      complete: () => this.#tell(this.#telling, () => observer.complete?.()),
    });
  }

  unsubscribe(): void {
    this.#over = true;
    this.#parts.piggyback.delete(this);
    this.#inner?.unsubscribe();
  }

  /** What has to be waited for before the answer is told. */
  #arrived(meta: Meta, ride: Ride | undefined, changed: boolean): Promise<void> | undefined {
    return ride ? this.#landed(meta, ride, changed) : takeIn(this.#parts.linked, meta, changed);
  }

  async #landed(meta: Meta, ride: Ride, changed: boolean): Promise<void> {
    const { linked, piggyback } = this.#parts;
    try {
      await this.#home;
      this.#again = !ride.decided;
    } catch (error) {
      // What failed may have been the call, and the push with it: it goes alone, unless it waits for a better time.
      if (!hasEnded(error)) linked.sync.pace.idle(0);
    }
    // A call that failed for want of a network may have been in the same request or not.
    if ((changed || meta?.response) && !isSame(meta?.response, ride.response)) piggyback.strayed(this.op.path);
    await takeIn(linked, meta, changed);
  }

  #tell(wait: Promise<void> | undefined, tell: () => void): void {
    if (wait === undefined) return tell();
    this.#telling = wait.then(() => void (this.#over || tell()));
  }

  #fail(error: unknown): void {
    if (this.#over) return;
    this.unsubscribe();
    this.#parts.observer.error?.(error);
  }
}

/** Without responses there is no HTTP, and no request that two calls share. */
const isSame = (one: unknown, other: unknown) => one !== undefined && one === other;

/** The session to which the changes belonged is no more, or the browser keeps none: they do not arrive, and the call goes on without. */
function hasEnded(error: unknown): boolean {
  return isSessionError(error) && hasNoHome(error.code);
}

/** What tRPC's client threw: the app's error handling knows that. */
function causeOf(error: unknown): unknown {
  return (error as { cause?: unknown }).cause ?? error;
}
