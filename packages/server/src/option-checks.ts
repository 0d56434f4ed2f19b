import { invalid, shown } from "@catnap/shared";

export { boolean, callable, invalid, known, shown } from "@catnap/shared";

/** A time of the public API. */
export function seconds(name: string, value: number, least: number = Number.MIN_VALUE): number {
  if (typeof value === "number" && Number.isFinite(value) && value >= least) return value;
  throw invalid(
    `${name} is ${shown(value)}: give a finite number of seconds${least === 0 ? ", 0 or more" : " above 0"}`,
  );
}

/** How much memory; any number will do, be it without end. */
export function bytes(name: string, value: number): number {
  if (typeof value === "number" && value >= 0) return value;
  throw invalid(`${name} is ${shown(value)}: give a number of bytes, 0 or more`);
}

/** A limit. */
export function whole(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw invalid(`${name} is ${shown(value)}: give a whole number from 1`);
}

export function list<T>(name: string, value: readonly T[], example: string): readonly T[] {
  if (Array.isArray(value)) return value;
  throw invalid(`${name} is ${shown(value)}: give an array, such as ${example}`);
}

/** What TypeScript has checked, for those who have not. */
export function oneOf(name: string, value: string, allowed: readonly string[]): void {
  if (!allowed.includes(value)) throw invalid(`${name} is ${shown(value)}: choose one of ${allowed.join(", ")}`);
}
