/** Headers as places have them: a `Headers`, what reads like one, or the record of Node's and Lambda's requests. */
export type HeadersLike =
  | { get(name: string): string | null }
  | Readonly<Record<string, string | readonly string[] | undefined>>;

/** A header by its lower-case name; `null` where it did not come. */
export function headerIn(headers: HeadersLike, name: string): string | null {
  if (typeof headers.get === "function") return headers.get(name);
  // Lambda keeps the letter case that the client chose.
  const record = headers as Readonly<Record<string, string | readonly string[] | undefined>>;
  const key = Object.hasOwn(record, name) ? name : Object.keys(record).find((each) => each.toLowerCase() === name);
  const value = key === undefined ? undefined : record[key];
  if (Array.isArray(value)) return value.join(name === "cookie" ? "; " : ", ");
  return typeof value === "string" ? value : null;
}
