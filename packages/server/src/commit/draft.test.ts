import { defineSession, type Key } from "@catnap/shared";
import { expect, test } from "vitest";
import { z } from "zod";
import { type Change, Draft } from "./draft.ts";

test("of a call whose change cannot follow that of another one, nothing is taken", () => {
  const { keys } = defineSession({ shared: { note: z.string(), visits: z.number() } });
  const change = (name: string, redo: Change["redo"] = null): Change => {
    return { key: keys.get(name) as Key, value: "1", from: null, redo };
  };
  const [request, call] = [new Draft(), new Draft()];
  request.put(change("visits"));
  call.put(change("note"));
  call.put(
    change("visits", () => {
      throw new Error("the app's function");
    }),
  );
  expect(() => request.absorb(call)).toThrow("the app's function");
  expect([...request.changes.keys()]).toEqual(["visits"]);
});
