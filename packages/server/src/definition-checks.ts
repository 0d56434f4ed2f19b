import { type AnyDefinition, checkDefinition } from "@catnap/shared";
import { invalid, shown } from "./option-checks.ts";

/**
 * Throws `INVALID_OPTION` for what is no definition, and `INVALID_DEFINITION` for one that `defineSession` refuses, which in
 * production has not looked at it.
 */
export function assertDefinition(definition: AnyDefinition | undefined): void {
  const { keys, fingerprint, declared } = definition ?? {};
  if (!(keys instanceof Map) || typeof fingerprint !== "string") {
    throw invalid(`definition is ${shown(definition)}: pass what defineSession of this version of catnap returned`);
  }
  checkDefinition(declared);
}
