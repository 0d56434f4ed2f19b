import { SessionError } from "@catnap/shared";
import type { Draft } from "../commit/draft.ts";
import type { DraftWriter } from "../commit/draft-writer.ts";
import type { SessionHold } from "../commit/session-hold.ts";
import type { Settings } from "../settings.ts";
import { gone } from "../upkeep/ending.ts";
import type { Barrier } from "./barrier.ts";
import type { Guard } from "./guard.ts";
import type { Life } from "./life.ts";
import type { PushFirst } from "./push-first.ts";
import type { SessionView } from "./session-view.ts";

/** The parts of a request that its commits need. */
export interface CommitParts {
  readonly settings: Settings;
  readonly guard: Guard;
  readonly hold: SessionHold;
  readonly view: SessionView;
  readonly writer: DraftWriter;
  readonly barrier: Barrier;
  readonly pushFirst: PushFirst;
  /** Each call of a streaming response answers when it is done, and commits by itself. */
  readonly streams: boolean;
}

/** Nothing that was made of one session's values may get into another's. */
function replacedMeanwhile(): SessionError {
  return new SessionError(
    "CONFLICT",
    "A login of the same request has put another session in the place of the one that this call worked on: nothing of the call was written; send it again",
  );
}

/** Collects what the calls of a request have changed, and commits it once, before any of them answers. */
export class RequestCommits {
  /** The hooks that the session's turns are told to. */
  life: Life | null = null;
  readonly #parts: CommitParts;
  #flushing: Promise<void> | null = null;
  #tail: Promise<void> = Promise.resolve();

  constructor(parts: CommitParts) {
    this.#parts = parts;
  }

  /** Takes a call's changes over, for the request's next commit. */
  collect(draft: Draft): void {
    if (this.#parts.hold.ended) throw gone();
    if (draft.isEmpty) return;
    this.#parts.guard.pass();
    const { view } = this.#parts;
    if (draft.madeOn !== view.generation) throw replacedMeanwhile();
    view.draft.absorb(draft);
    if (draft.wishes.replace) view.generation++;
  }

  /** Commits a call's changes without waiting for other calls. */
  async commit(draft: Draft): Promise<void> {
    if (!draft.isEmpty) this.collect(draft);
    await this.#enqueue();
  }

  /** Waits for the other calls of the batch, then commits with them. */
  async settle(draft: Draft): Promise<void> {
    const { barrier, pushFirst, hold, view, streams } = this.#parts;
    const changed = !draft.isEmpty;
    const pending = draft.wishes.push;
    if (changed) this.collect(draft);
    if (streams) {
      await this.#enqueue();
      if (pending?.answer) pushFirst.decide(pending.push, pending.answer);
      return;
    }
    if (pending && pushFirst.awaited) pushFirst.decide(pending.push, view.foresee(pending.push));
    if (!changed && !this.#due()) {
      // Nothing to wait for; but somebody has to count the transaction when nobody changes anything.
      return hold.touch();
    }
    await barrier.everyone();
    this.#flushing ??= this.#enqueue().finally(() => {
      this.#flushing = null;
    });
    await this.#flushing;
  }

  /** Whether the request's end has work even for a call that changed nothing. */
  #due(): boolean {
    const { settings, view, hold } = this.#parts;
    return settings.hasLife || !view.draft.isEmpty || hold.due();
  }

  /** One commit after another: a stream's calls each bring their own. */
  #enqueue(): Promise<void> {
    const mine = this.#tail.then(() => this.#flush());
    this.#tail = mine.catch(() => undefined); // a failed commit is its own callers' to hear of
    return mine;
  }

  async #flush(): Promise<void> {
    const { view, hold, writer } = this.#parts;
    await this.#fallAsleep();
    const draft = view.take();
    if (draft.wishes.invalidate) return hold.end(draft);
    if (hold.bearer.recalled) {
      const outcome = await writer.writeRecalled(draft);
      if (outcome === "in") return;
      await hold.load({ met: outcome });
    }
    hold.screen(draft);
    if (draft.isEmpty && !hold.due()) await hold.touch();
    else await writer.commit(draft);
  }

  async #fallAsleep(): Promise<void> {
    const { hold, view, streams } = this.#parts;
    if (!this.life || hold.ended || view.draft.wishes.invalidate) return;
    await this.life.respondAndSleep();
    if (!streams) this.life.close();
  }
}
