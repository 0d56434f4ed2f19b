/** A statement as `pg` takes it. With a `name`, a connection parses and plans it once. */
export interface PostgresQuery {
  readonly text: string;
  readonly name?: string;
  readonly values?: unknown[];
  /** How the columns of this one statement are read, whatever the application has taught its driver. */
  readonly types?: { getTypeParser(): (value: string | Uint8Array) => unknown };
}

/** What `postgresStore` asks of a connection. */
export interface PostgresConnection {
  query(query: PostgresQuery): Promise<{ rows: unknown[] }>;
  on(event: "notification", listener: (message: { channel: string; payload?: string | undefined }) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "end", listener: () => void): unknown;
  /** `true` closes the connection instead of handing it back. */
  release(destroy?: boolean): void;
}

/** What `postgresStore` asks of a pool: that of `pg` has it, and so has any that is modelled on it. */
export interface PostgresPool {
  connect(): Promise<PostgresConnection>;
  on(event: "error", listener: (error: Error) => void): unknown;
  /** Tells of a new connection before anybody is given it. */
  on(event: "connect", listener: (connection: Pick<PostgresConnection, "on">) => void): unknown;
  /** How many connections it may have. A pool that does not say is taken for one that has enough. */
  readonly options?: { readonly max?: number | undefined };
  /** How many it has, those included that are still connecting. */
  readonly totalCount?: number;
  /** Whether it was told to end. */
  readonly ending?: boolean;
}
