/**
 * What one client asked for and what it was told. `from` and `to` are the moments of the call and of its answer, on one
 * clock for all clients; a `to` of `Infinity`: no answer came, so it may have taken effect at any time since, or never.
 */
export type Event = { readonly client: number; readonly key: string; readonly from: number; readonly to: number } & (
  | { readonly do: "write"; readonly value: string }
  | { readonly do: "read"; readonly value: string | null }
  | { readonly do: "increment" }
  | { readonly do: "count"; readonly value: number }
  | { readonly do: "add"; readonly element: string }
  | { readonly do: "elements"; readonly elements: readonly string[] }
);

type Reading<K extends Event["do"]> = Extract<Event, { do: K }>;

/**
 * Holds a history against what a session promises, and gives what is wrong with it. Registers must be linearizable: each
 * value is written once, which makes that decidable in one pass over the sorted operations (Gibbons and Korach, "Testing
 * shared memories", 1997). Counters and sets only grow, so that each reading has a least and a most that it may show.
 */
export function anomalies(history: readonly Event[]): string[] {
  const byKey = new Map<string, Event[]>();
  for (const event of history) byKey.set(event.key, [...(byKey.get(event.key) ?? []), event]);
  return [...byKey].flatMap(([key, events]) =>
    [...registerAnomalies(events), ...counterAnomalies(events), ...setAnomalies(events)].map(
      (what) => `${key}: ${what}`,
    ),
  );
}

const those = <K extends Event["do"]>(events: readonly Event[], ...kinds: K[]) =>
  events.filter((event): event is Reading<K> => (kinds as string[]).includes(event.do));

/** The stretch of time that one value must have been the register's, or, when `soft`, one within which it may have been at some instant. */
interface Zone {
  readonly value: string | null;
  readonly start: number;
  readonly end: number;
  readonly soft: boolean;
}

function registerAnomalies(events: readonly Event[]): string[] {
  const wrong: string[] = [];
  const clusters = new Map<string | null, { from: number; to: number }[]>([[null, [{ from: -1, to: -1 }]]]);
  const writes = those(events, "write");
  for (const write of writes) {
    if (clusters.has(write.value)) wrong.push(`${write.value} was written twice, which this check cannot judge`);
    clusters.set(write.value, [write]);
  }
  for (const read of those(events, "read")) {
    const cluster = clusters.get(read.value);
    const [write] = cluster ?? [];
    if (!write || read.to < write.from)
      wrong.push(`client ${read.client} read ${read.value}, which nobody had written`);
    else cluster?.push(read);
  }
  const zones: Zone[] = [];
  for (const [value, cluster] of clusters) {
    const firstEnd = Math.min(...cluster.map(({ to }) => to));
    const lastStart = Math.max(...cluster.map(({ from }) => from));
    // A write without an answer that nobody has read may never have happened.
    if (firstEnd === Number.POSITIVE_INFINITY) continue;
    const soft = lastStart < firstEnd;
    zones.push({ value, start: Math.min(firstEnd, lastStart), end: Math.max(firstEnd, lastStart), soft });
  }
  const hard = zones.filter(({ soft }) => !soft).sort((a, b) => a.start - b.start);
  let latest: Zone | undefined;
  for (const zone of hard) {
    if (latest && zone.start < latest.end) wrong.push(`${latest.value} and ${zone.value} stood at the same time`);
    if (!latest || zone.end > latest.end) latest = zone;
  }
  for (const { value, start, end } of zones.filter(({ soft }) => soft)) {
    const over = hard.find((zone) => zone.start < start && end < zone.end);
    if (over) wrong.push(`${value} was written and gone while ${over.value} stood`);
  }
  return wrong;
}

function counterAnomalies(events: readonly Event[]): string[] {
  const wrong: string[] = [];
  const increments = those(events, "increment");
  for (const { client, value, from, to } of those(events, "count")) {
    const least = increments.filter((one) => one.to < from).length;
    const most = increments.filter((one) => one.from < to).length;
    if (value < least) wrong.push(`client ${client} counted ${value} of ${least} acknowledged increments`);
    if (value > most) wrong.push(`client ${client} counted ${value}, though only ${most} were asked for`);
  }
  wrong.push(...backward(those(events, "count"), ({ value }, later) => later.value < value));
  return wrong;
}

function setAnomalies(events: readonly Event[]): string[] {
  const wrong: string[] = [];
  const adds = new Map(those(events, "add").map((add) => [add.element, add]));
  for (const { client, elements, from, to } of those(events, "elements")) {
    const shown = new Set(elements);
    if (shown.size < elements.length) wrong.push(`client ${client} read an element twice`);
    for (const element of shown) {
      const add = adds.get(element);
      if (!add || add.from > to) wrong.push(`client ${client} read ${element}, which nobody had added`);
    }
    for (const { element, to: acknowledged } of adds.values()) {
      if (acknowledged < from && !shown.has(element)) wrong.push(`client ${client} missed ${element}`);
    }
  }
  wrong.push(
    ...backward(those(events, "elements"), (one, later) => !one.elements.every((e) => later.elements.includes(e))),
  );
  return wrong;
}

/** Readings of something that only grows: one that began after another had ended must not show less. */
function backward<R extends Event>(readings: readonly R[], less: (one: R, later: R) => boolean): string[] {
  const sorted = [...readings].sort((a, b) => a.to - b.to);
  const wrong: string[] = [];
  for (const later of readings) {
    // What the latest of the earlier ones shows is the most that was shown, if all before it was right.
    const one = sorted.findLast(({ to }) => to < later.from);
    if (one && less(one, later)) wrong.push(`client ${later.client} read less than client ${one.client} had before`);
  }
  return wrong;
}
