import { createServer, type OutgoingHttpHeader, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { beforeHead } from "./before-head.ts";

/** What a browser gets of a server that answers so. */
async function answered(answer: (response: ServerResponse) => void): Promise<Response> {
  const server = createServer((_, response) => answer(response)).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  return fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}

/** Adds a cookie to those that are on the response. */
const addCookie = (response: ServerResponse) => () => void response.appendHeader("set-cookie", "ours=1");

test.for<[string, OutgoingHttpHeader[] | Record<string, OutgoingHttpHeader> | string[][]]>([
  ["an object", { "x-own": "yes", "set-cookie": ["a=1", "b=2"] }],
  ["names and values in turn", ["x-own", "yes", "set-cookie", "a=1", "set-cookie", "b=2"]],
  ["names and lists of values", ["x-own", "yes", "set-cookie", ["a=1", "b=2"]]],
  [
    "pairs",
    [
      ["x-own", "yes"],
      ["set-cookie", "a=1"],
      ["set-cookie", "b=2"],
    ],
  ],
])("headers that writeHead was given as %s stand beside those of the callback", async ([, headers]) => {
  const response = await answered((response) => {
    beforeHead(response, addCookie(response));
    response.setHeader("x-own", "overwritten");
    response.setHeader("set-cookie", "overwritten=1");
    response.writeHead(201, "Made", headers as OutgoingHttpHeader[]);
    response.end();
  });
  expect([response.status, response.statusText]).toEqual([201, "Made"]);
  expect(response.headers.get("x-own")).toBe("yes");
  expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2", "ours=1"]);
});

test("an answer without writeHead has a head, too, and each callback is called once, the last one first", async () => {
  const calls: string[] = [];
  const response = await answered((response) => {
    beforeHead(response, () => void calls.push("first"));
    beforeHead(response, () => {
      calls.push("second");
      response.statusCode = 202;
    });
    response.write("a");
    response.end("b");
  });
  expect(await response.text()).toBe("ab");
  expect(response.status).toBe(202);
  expect(calls).toEqual(["second", "first"]);
});

test("headers that Node would refuse are refused, as without us", async () => {
  const response = await answered((response) => {
    beforeHead(response, () => undefined);
    try {
      response.writeHead(200, { "x-own": undefined });
    } catch (error) {
      response.end((error as Error).message);
    }
  });
  expect(await response.text()).toContain('Invalid value "undefined"');
});
