import { type AnyDefinition, type Key, keyNamed, type LoginOptions, namesOf, SessionError } from "@catnap/shared";
import type { Replacement } from "../commit/draft.ts";
import { boolean, invalid, known, list, shown } from "../option-checks.ts";
import { assertSubject } from "../upkeep/logins.ts";

/** Checks what `login` was given. Gives the names to keep where the session at hand is to be replaced, else `null`. */
export function readLogin(
  definition: AnyDefinition,
  subject: string,
  options: LoginOptions<string>,
): Replacement["keep"] | null {
  assertSubject(subject);
  known("login", options, ["replace", "keep"]);
  const { replace = false, keep } = options;
  boolean("replace", replace);
  if (!replace) {
    if (keep !== undefined) throw invalid("keep goes with replace: true; without it the session keeps all its values");
    return null;
  }
  const kept = new Map<string, Key>();
  for (const name of list("keep", keep ?? [], '["cart"]')) {
    const key = keyNamed(definition, name);
    if (!key) {
      const all = namesOf(definition);
      throw new SessionError(
        "UNKNOWN_KEY",
        `keep has ${shown(name)}, and the definition has no such value; it has: ${all}`,
      );
    }
    kept.set(key.name, key);
  }
  return kept;
}
