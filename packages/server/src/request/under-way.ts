import { after } from "@catnap/shared";

/** The calls that have begun and not ended. */
export class UnderWay {
  #count = 0;
  #idle: (() => void) | null = null;

  /** Gives what the call's end is told to; telling it twice does nothing. */
  enter(): () => void {
    this.#count++;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      if (--this.#count === 0) this.#idle?.();
    };
  }

  /** Waits until none is under way, at most so many milliseconds. Gives how many still are. */
  async settled(ms: number): Promise<number> {
    if (this.#count > 0) {
      await new Promise<void>((resolve) => {
        const cancel = after(ms, resolve, true);
        this.#idle = () => {
          cancel();
          resolve();
        };
      });
    }
    return this.#count;
  }
}
