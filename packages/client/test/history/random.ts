/** Random numbers that a seed gives again (Bob Jenkins' small fast generator, in 32 bits). */
export class Random {
  #a = 0xf1ea5eed;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: number) {
    this.#b = this.#c = this.#d = seed | 0;
    for (let i = 0; i < 20; i++) this.next();
  }

  /** From 0, below 1. */
  next(): number {
    const e = (this.#a - rotate(this.#b, 27)) | 0;
    this.#a = this.#b ^ rotate(this.#c, 17);
    this.#b = (this.#c + this.#d) | 0;
    this.#c = (this.#d + e) | 0;
    this.#d = (e + this.#a) | 0;
    return (this.#d >>> 0) / 2 ** 32;
  }

  /** A whole number from 0, below `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }
}

const rotate = (bits: number, by: number) => (bits << by) | (bits >>> (32 - by));
