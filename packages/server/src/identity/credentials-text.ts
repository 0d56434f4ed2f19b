import type { Entry, SessionRecord } from "../stores/store.ts";
import { unreadable } from "../stores/unreadable.ts";
import { type Credentials, type Dated, type Issued, noCredentials, type Superseded } from "./credentials.ts";

/** The entry that holds a session's credentials: hashes and times, never a secret. */
export const credentialsKey = "~tokens";

/** What was read of an entry: entries are immutable, and a store in memory gives the same one with every request. */
const read = new WeakMap<Entry, Credentials>();

/** Reads the credentials of a record; a record without any opens to nobody. Throws `STORE_UNUSABLE` for what cannot be read. */
export function readCredentials({ identifier, entries }: Pick<SessionRecord, "identifier" | "entries">): Credentials {
  const entry = entries.get(credentialsKey);
  if (entry?.value == null) return noCredentials;
  let credentials = read.get(entry);
  if (!credentials) {
    const parsed = parseCredentials(entry.value);
    if (!parsed) throw unreadable(identifier, credentialsKey);
    credentials = parsed;
    read.set(entry, credentials);
  }
  return credentials;
}

const hashes = "[A-Za-z0-9_-]{43}";
const wordPattern = new RegExp(`^([chrtn])(${hashes})([0-9a-z]{1,11})$|^s(${hashes})(${hashes})([0-9a-z]{1,11})$`);

function parseCredentials(text: string): Credentials | null {
  const current: Issued[] = [];
  const superseded: Superseded[] = [];
  const dated: Record<string, Dated[]> = { r: [], t: [], n: [] };
  for (const word of text.split(" ")) {
    const match = wordPattern.exec(word);
    if (!match) return null;
    const [, kind, hash = "", at = "", old, by = "", issuedAt = ""] = match;
    if (old !== undefined) superseded.push({ hash: old, by, issuedAt: Number.parseInt(issuedAt, 36) });
    else if (kind === "c" || kind === "h")
      current.push({ hash, issuedAt: Number.parseInt(at, 36), handed: kind === "h" });
    else dated[kind ?? ""]?.push([hash, Number.parseInt(at, 36)]);
  }
  const { r: retired = [], t: tickets = [], n: [claim] = [] } = dated;
  return { current, superseded, retired, tickets, ...(claim && { claim: { masked: claim[0], until: claim[1] } }) };
}

/** Writes credentials as they rest: a word for each, which tells its kind by the first letter. Short, because every session has some. */
export function formatCredentials({ current, superseded, retired, tickets, claim }: Credentials): string {
  const time = (at: number) => Math.round(at).toString(36);
  return [
    ...current.map(({ hash, issuedAt, handed }) => `${handed ? "h" : "c"}${hash}${time(issuedAt)}`),
    ...superseded.map(({ hash, by, issuedAt }) => `s${hash}${by}${time(issuedAt)}`),
    ...retired.map(([hash, end]) => `r${hash}${time(end)}`),
    ...tickets.map(([hash, end]) => `t${hash}${time(end)}`),
    ...(claim ? [`n${claim.masked}${time(claim.until)}`] : []),
  ].join(" ");
}
