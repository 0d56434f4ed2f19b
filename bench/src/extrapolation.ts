import type { Cost, Costs } from "./per-operation.ts";

/** What was measured of sessions of ten values of 100 bytes, after a rotation. */
interface Basis {
  /** `quiet` is a change with `notify: false`. */
  readonly postgres: { readonly bytes: number; readonly costs: Costs; readonly quiet: Cost };
  readonly redis: { readonly bytes: number; readonly index: number; readonly costs: Costs };
}

const sessions = 100_000_000;
const requests = 100_000;
/** One request in five writes, each after a read; a touch for each of the others is the most that there can be. */
const writes = requests / 5;
const touches = requests - writes;

const count = (n: number) => n.toLocaleString("en");
const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(0)} GB`;

/** The cores that a second's requests keep busy, and how that is reckoned. */
function cores(costs: Costs): string {
  const parts = [
    [requests, costs["read of a session that is not in memory"].database],
    [writes, costs["change of one value"].database],
    [touches, costs["access time, 200 in a call"].database],
  ] as const;
  const terms = parts.map(([times, us]) => `${count(times)} × ${us.toFixed(1)} µs`).join(" + ");
  const busy = parts.reduce((sum, [times, us]) => sum + (times * us) / 1e6, 0);
  return `${terms} = ${busy.toFixed(1)} cores`;
}

/** What a hundred million sessions and a hundred thousand requests a second need of either database, with the arithmetic. */
export function extrapolate({ postgres, redis }: Basis): string {
  const tables = sessions * postgres.bytes;
  const memory = sessions * (redis.bytes + redis.index);
  return [
    `${count(sessions)} sessions of ten values of 100 bytes, ${count(requests)} requests a second of which one in five writes`,
    `Redis, limit 1024, memory: ${count(sessions)} × (${redis.bytes.toFixed(0)} + ${redis.index.toFixed(0)} bytes) = ${gigabytes(memory)}; while it saves, half as much again: ${gigabytes(memory * 1.5)}`,
    `Redis, CPU a second: ${cores(redis.costs)}`,
    `PostgreSQL, tables and indexes: ${count(sessions)} × ${postgres.bytes.toFixed(0)} bytes = ${gigabytes(tables)}`,
    `PostgreSQL, CPU a second, notify: true: ${cores(postgres.costs)}`,
    `PostgreSQL, CPU a second, notify: false: ${cores({ ...postgres.costs, "change of one value": postgres.quiet })}`,
  ].join("\n");
}
