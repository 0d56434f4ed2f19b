import { expect, test } from "vitest";
import { SimulatedDisk } from "../../test/model/disk.ts";
import { Table } from "./table.ts";

test("a write that comes as the database opens does not overtake one that has waited for it", async () => {
  const tasks: (() => void)[] = [];
  const disk = new SimulatedDisk((task) => tasks.push(task));
  const table = new Table(
    disk.factory(() => true),
    "shop",
    () => undefined,
  );
  const first = table.write([["row", 1]], []);
  tasks.shift()?.();
  const second = table.write([["row", 2]], []);
  const drain = setInterval(() => tasks.shift()?.());
  await Promise.all([first, second]);
  clearInterval(drain);
  expect(disk.rows.get("row")).toBe(2);
  table.close();
});
