import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { expect, test, vi } from "vitest";
import { closed } from "../src/closed.ts";
import { atEnd, codeOf } from "./shop.ts";

test("a visitor who has left a request that nobody answers is waited for no longer than a minute", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  atEnd(() => vi.useRealTimers());
  for (const [answers, expected] of [
    [false, "SESSION_CLOSED"],
    [true, "fine"],
  ] as const) {
    const res = new ServerResponse(new IncomingMessage(new Socket()));
    let outcome = "";
    const over = codeOf(() => closed(res)).then((code) => (outcome = code));
    res.emit("close");
    await vi.advanceTimersByTimeAsync(59_000);
    expect(outcome).toBe("");
    if (answers) res.end();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await over).toBe(expected);
  }
});
