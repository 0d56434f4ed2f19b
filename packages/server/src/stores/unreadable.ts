import { SessionError } from "@catnap/shared";

/** `STORE_UNUSABLE` for an entry that Catnap cannot have written, or that somebody has cut or changed since. Quotes no value. */
export function unreadable(identifier: string, entry: string): SessionError {
  return new SessionError(
    "STORE_UNUSABLE",
    `The entry "${entry}" of session ${identifier} cannot be read: restore the store from a backup, or end the session with sessions.revoke`,
  );
}
