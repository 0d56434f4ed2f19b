import type { OutboxRow } from "./outbox-on-disk.ts";
import type { Recorded } from "./wire.ts";

/** How many of some changes are where. Those that were acknowledged to their tab are not looked for in outboxes. */
export interface Places {
  readonly changes: number;
  readonly acknowledged: number;
  /** Not acknowledged, and on the browser's disk alone. */
  readonly outbox: number;
  /** Not acknowledged, and in the server alone. */
  readonly server: number;
  /** Not acknowledged, and in both. */
  readonly both: number;
  /** In neither, or acknowledged and not in the server. */
  readonly lost: number;
}

/** What there is to see of a session's changes, at one moment at which nothing is under way. */
export interface Evidence {
  /** How many changes were made. */
  readonly made: number;
  /** The keys that they were made to. */
  readonly keys: readonly string[];
  /** What the browser has on disk. */
  readonly rows: readonly OutboxRow[];
  /** What crossed the wire since the first of them was made. */
  readonly crossed: readonly Recorded[];
  /** By writer: up to which seq the server has decided. */
  readonly watermarks: Readonly<Record<string, number>>;
}

/** Finds out where each change is, and how many of each key the server has, by its watermarks. */
export function locate({ made, keys, rows, crossed, watermarks }: Evidence): {
  places: Places;
  inServer: Record<string, number>;
} {
  const nameOf = ({ writer, op }: OutboxRow) => `${writer}:${op.seq}`;
  const ours = ({ op }: OutboxRow) => keys.includes(op.key);
  const saved = new Map(rows.filter(ours).map((row) => [nameOf(row), row]));
  const known = new Map(saved);
  const acked: Record<string, number> = {};
  for (const { request, body, heard } of crossed.filter(({ url }) => url.includes("session.sync"))) {
    const { writer, ops } = read<{ writer: string; ops: OutboxRow["op"][] }>(request, (call) => call.json);
    for (const row of ops.map((op) => ({ writer, op })).filter(ours)) known.set(nameOf(row), row);
    const answer = heard ? read<{ acked?: number }>(body, (call) => call.result?.data.json) : {};
    acked[writer] = Math.max(acked[writer] ?? 0, answer.acked ?? 0);
  }
  const places = { changes: made, acknowledged: 0, outbox: 0, server: 0, both: 0, lost: made - known.size };
  const inServer: Record<string, number> = {};
  for (const [name, { writer, op }] of known) {
    const held = op.seq <= (watermarks[writer] ?? 0);
    if (held) inServer[op.key] = (inServer[op.key] ?? 0) + 1;
    if (op.seq <= (acked[writer] ?? 0)) places[held ? "acknowledged" : "lost"]++;
    else if (saved.has(name)) places[held ? "both" : "outbox"]++;
    else places[held ? "server" : "lost"]++;
  }
  return { places, inServer };
}

/** All of them together. */
export function sum(all: readonly Places[]): Places {
  const total = { changes: 0, acknowledged: 0, outbox: 0, server: 0, both: 0, lost: 0 };
  // `total` has the keys of `Places` and no others.
  for (const places of all) for (const place of Object.keys(total) as (keyof Places)[]) total[place] += places[place];
  return total;
}

/** What tRPC carries in the body of one call, of which a batch has several under numbers; here it is the first that counts. */
interface Call {
  readonly json?: unknown;
  readonly result?: { readonly data: { readonly json: unknown } };
}

/** Takes a call's input or result out of a body, which both are the product's own. */
function read<T>(body: string, open: (call: Call) => unknown): T {
  const parsed = JSON.parse(body) as Call | { "0": Call };
  return open("0" in parsed ? parsed["0"] : parsed) as T;
}
