// @vitest-environment happy-dom
import { createSessionClient } from "@catnap/client";
import { defineSession } from "@catnap/shared";
import { act, render } from "@testing-library/react";
import { expect, test } from "vitest";
import { z } from "zod";
import { SessionProvider, useSessionValue } from "./index.ts";

test("updating one of 1,000 keys renders one component of 1,000", () => {
  const names = Array.from({ length: 1_000 }, (_, i) => `key${i}`);
  const definition = defineSession({ shared: Object.fromEntries(names.map((name) => [name, z.number().default(0)])) });
  const client = createSessionClient({
    definition,
    http: { url: "/", fetch: () => new Promise(() => undefined) },
    surroundings: { page: undefined },
  });
  let renders: string[] = [];
  function Cell({ name }: { name: string }) {
    renders.push(name);
    // The keys are made above, so no registered definition knows them.
    const [value] = useSessionValue(name as never);
    return <i>{String(value)}</i>;
  }
  render(
    <SessionProvider client={client as never}>
      {names.map((name) => (
        <Cell key={name} name={name} />
      ))}
    </SessionProvider>,
  );
  renders = [];
  act(() => client.setValue("key7", 1));
  expect(renders).toEqual(["key7"]);
  client.close();
});
