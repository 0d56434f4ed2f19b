import { SessionError } from "./session-error.ts";

/** What makes an option unusable: says which, and what to give instead. */
export function invalid(message: string): SessionError {
  return new SessionError("INVALID_OPTION", message);
}

/** A wrong value for a message: a text in quotes, so that "5" is not taken for 5, and of an object only that it is one. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "string") return JSON.stringify(value.slice(0, 60));
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  // An object may throw when it is made a text, and so does a symbol.
  return Array.isArray(value) ? "an array" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** A switch: text is none, since "false" would turn it on. */
export function boolean(name: string, value: boolean): void {
  if (typeof value !== "boolean") throw invalid(`${name} is ${shown(value)}: give true or false`);
}

/** A function that is called only later, when nobody would know any more where it came from. */
export function callable(name: string, value: unknown, example: string): void {
  if (typeof value !== "function") throw invalid(`${name} is ${shown(value)}: give a function, such as ${example}`);
}

/**
 * Throws for options that are no object, and for an option that does not exist, which is otherwise a setting that nobody
 * applies: names the one that was probably meant. `what` is the function that takes them.
 */
export function known(what: string, options: unknown, names: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw invalid(
      `${what} takes its options as an object with any of ${names.join(", ")}: pass one instead of ${shown(options)}`,
    );
  }
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue;
    // A key that came from outside may be of any length.
    const wrong = name.slice(0, 60);
    const meant = likeOne(wrong, names);
    const remedy = meant === undefined ? `it takes ${names.join(", ")}` : `did you mean "${meant}"?`;
    throw invalid(`${what} has no option "${wrong}": ${remedy}`);
  }
}

/** The name that is most like the given one, if less than half of it had to be written anew. */
export function likeOne(name: string, names: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of names) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance >= least || distance * 2 >= Math.min(name.length, candidate.length)) continue;
    best = candidate;
    least = distance;
  }
  return best;
}

/** How many letters have to be put in, taken out or changed to make one text of the other. */
function editDistance(one: string, other: string): number {
  // The distances between the first `i` letters of `one` and each beginning of `other`, row by row.
  let row = Array.from({ length: other.length + 1 }, (_, j) => j);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const changed = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
