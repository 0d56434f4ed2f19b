/**
 * What a server's clock says, told by this process's monotonic one: how much it is ahead, as the least that what was heard
 * allows. A deadline named by it is never later than meant; the server's clock may go slower or faster, or be set.
 */
export class ServerClock {
  #ahead: number | undefined;
  #asking: Promise<void> | undefined;

  /** The server's time, in epoch milliseconds, at a moment of ours. Whoever asks has waited for `set`. */
  at(moment: number): number {
    return moment + (this.#ahead ?? 0);
  }

  /** Asks for the time unless it is known; those who come at once ask once. */
  set(ask: () => Promise<number>): Promise<void> | undefined {
    if (this.#ahead !== undefined) return undefined;
    this.#asking ??= this.#ask(ask).finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(ask: () => Promise<number>): Promise<void> {
    const sent = performance.now();
    this.hear(await ask(), sent, performance.now());
  }

  /** What was sent and heard at these moments was answered at this time. */
  hear(time: number, sent: number, heard: number): void {
    const least = time - heard;
    if (this.#ahead === undefined || this.#ahead < least || this.#ahead > time - sent) this.#ahead = least;
  }

  /** It was set, or another server answers in its place. */
  unset(): void {
    this.#ahead = undefined;
  }
}
