import { expect, test } from "vitest";
import { search, searchMs } from "./search.ts";

const name =
  "whatever is lost, doubled, delayed or killed, each change counts once, in its own session alone (search 1)";
test(name, { timeout: searchMs }, async () => expect(await search(0)).toBeGreaterThan(0));
