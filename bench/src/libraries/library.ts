/** A library that keeps values by name in IndexedDB, used as its documentation says, with its persistence on. */
export interface Library {
  /** Opens what the disk holds, and waits until every value can be read. `names` is all that an app of this size declares. */
  open(names: readonly string[]): Promise<Kept>;
  /** Fills the disk with values, where `writeAll` does not do for ten thousand. */
  readonly fill?: (values: Values) => Promise<void>;
}

type Values = readonly (readonly [name: string, value: string])[];

/** Values that were opened. */
export interface Kept {
  /** Writes before that would not be saved; absent where they may begin at once. */
  readonly saves?: Promise<unknown>;
  /** Reads one value; a promise where the library has no other way. */
  read(name: string): unknown;
  /** Writes one value; a promise where the library gives one. */
  write(name: string, value: string): unknown;
  /** Writes many in the way in which the library wants many to be written. */
  writeAll(values: Values): unknown;
  /** Calls `told` after the value was written; absent where nobody is told. */
  readonly subscribe?: (name: string, told: () => void) => void;
  /** Writes that do not wait for the subscriber would be told as one. */
  readonly joins?: boolean;
}
