import { SessionError } from "@catnap/shared";

/**
 * Throws `INVALID_OPTION` for a subject that no database keeps as it is: SQLite cuts text at a NUL, PostgreSQL refuses it,
 * and a lone surrogate becomes U+FFFD on its way into any of them, so that two subjects would be one. What is no text, such as
 * a parameter of a URL that was given twice, is none either.
 */
export function assertSubjectText(subject: string): void {
  if (typeof subject === "string" && !/[\0\p{Surrogate}]/u.test(subject)) return;
  throw new SessionError(
    "INVALID_OPTION",
    "A subject must be well-formed text without NUL characters: encode what is not text, as hex for example",
  );
}
