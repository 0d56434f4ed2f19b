import { SessionError } from "@catnap/shared";

/** What makes an option unusable: says which, and what to give instead. */
export function invalid(message: string): SessionError {
  return new SessionError("INVALID_OPTION", message);
}

/** A time of the public API. */
export function seconds(name: string, value: number, least: number = Number.MIN_VALUE): number {
  if (typeof value === "number" && Number.isFinite(value) && value >= least) return value;
  throw invalid(
    `${name} is ${String(value)}: give a finite number of seconds${least === 0 ? ", 0 or more" : " above 0"}`,
  );
}

/** A limit. */
export function whole(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw invalid(`${name} is ${String(value)}: give a whole number from 1`);
}

/** What TypeScript has checked, for those who have not. */
export function oneOf(name: string, value: string, allowed: readonly string[]): void {
  if (!allowed.includes(value)) throw invalid(`${name} is "${value}": choose one of ${allowed.join(", ")}`);
}
