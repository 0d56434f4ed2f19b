import type { Session } from "@catnap/shared";
import { initTRPC } from "@trpc/server";
import { afterAll, describe, expect, test } from "vitest";
import { createSessions } from "../src/index.ts";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import { type Shop, shop } from "./app.ts";
import { type Loose, refuses } from "./refuses.ts";

const options = { definition: shop, cookie: { name: "sid" }, sweepInterval: 0, tickets: true } as const;
const sessions = createSessions({ ...options, store: memoryStore() });
afterAll(() => sessions.close());
const wrong: Loose = sessions;
const request = () => new Request("https://shop.example/page");
const t = initTRPC.context<Loose>().create();
/** Calls a procedure with a context. */
const call = (procedure: Loose, context: unknown) => {
  const caller: Loose = t.createCallerFactory(t.router({ it: procedure }))(context);
  return caller.it();
};
const callSession = (context: unknown, name = "values") => {
  const caller: Loose = t.createCallerFactory(t.router({ session: wrong.router({ procedure: t.procedure }) }))(context);
  return caller.session[name]();
};
const inRun = (work: (session: Loose) => unknown) =>
  sessions.wake(request()).run(work as (s: Session<Shop>) => unknown);

describe("a middleware that was forgotten is named:", () => {
  const awake = () => ({ session: sessions.wake(request()) });
  const forgotten = (name: string) => () =>
    call(
      t.procedure.query(({ ctx }: Loose) => ctx.session[name]("note", "x")),
      awake(),
    );
  const remedy = /procedure: t.procedure.use\(sessions.middleware\)/;
  refuses([
    [
      "value",
      forgotten("value"),
      "INVALID_OPTION",
      /value is the Session's, .* use sessions.middleware on this procedure/,
    ],
    ["setValue", forgotten("setValue"), "INVALID_OPTION", /setValue is the Session's/],
    ["login", forgotten("login"), "INVALID_OPTION", /login is the Session's/],
    [
      "iteration",
      () => [...(awake().session as Loose)],
      "INVALID_OPTION",
      /Symbol\(Symbol.iterator\) is the Session's/,
    ],
    ["in a router's procedures", () => callSession(awake()), "INVALID_OPTION", remedy],
    ["in one that pushes", () => callSession({}, "info"), "INVALID_OPTION", remedy],
    ["in a router without a context", () => callSession(undefined), "INVALID_OPTION", remedy],
    ["no options for the router", () => wrong.router(), "INVALID_OPTION", /procedure is undefined that no procedure/],
    ["a bare procedure for the options", () => wrong.router(t.procedure), "INVALID_OPTION", remedy],
    ["tRPC itself for a procedure", () => wrong.router({ procedure: t }), "INVALID_OPTION", remedy],
    [
      "a procedure that is built",
      () => wrong.router({ procedure: t.procedure.query(() => 5) }),
      "INVALID_OPTION",
      remedy,
    ],
    [
      "before requireFresh",
      () =>
        call(
          t.procedure.use(wrong.requireFresh(5)).query(() => 5),
          awake(),
        ),
      "INVALID_OPTION",
      /use sessions.middleware before requireFresh/,
    ],
    [
      "before requireFresh, without a context",
      () =>
        call(
          t.procedure.use(wrong.requireFresh(5)).query(() => 5),
          undefined,
        ),
      "INVALID_OPTION",
      /before requireFresh/,
    ],
    [
      "a promise in the context",
      () =>
        call(
          t.procedure.use(wrong.middleware).query(() => 5),
          { session: Promise.resolve() },
        ),
      "INVALID_OPTION",
      /ctx.session is not awake: return/,
    ],
  ]);

  test("and an awake session can be logged all the same", () => {
    expect(JSON.stringify(awake())).toBe('{"session":{}}');
  });
});

describe("methods of a session name the key and the rule:", () => {
  refuses([
    [
      "setValue of nothing",
      () => inRun((s) => s.setValue()),
      "UNKNOWN_KEY",
      /"undefined" is not in the definition, which has theme, note/,
    ],
    [
      "setValue of a misspelt key",
      () => inRun((s) => s.setValue("nte", "")),
      "UNKNOWN_KEY",
      /"nte" is not in the definition, which has theme, note/,
    ],
    ["setValue without a value", () => inRun((s) => s.setValue("note")), "INVALID_VALUE", /"note" rejects the value/],
    ["value of nothing", () => inRun((s) => s.value(undefined)), "UNKNOWN_KEY", /which has theme/],
    ["flash of an unknown key", () => inRun((s) => s.flash("nope")), "UNKNOWN_KEY", /"nope" is not in the definition/],
    [
      "update without a function",
      () => inRun((s) => s.update("cart")),
      "INVALID_OPTION",
      /second argument of update\("cart"\) is undefined: give a function/,
    ],
    ["update by a value", () => inRun((s) => s.update("cart", [])), "INVALID_OPTION", /update\("cart"\) is an array/],
    [
      "login of a number",
      () => inRun((s) => s.login(5)),
      "INVALID_OPTION",
      /login takes the subject's identifier: a string/,
    ],
    [
      "setTimeout of text",
      () => inRun((s) => s.setTimeout("5")),
      "INVALID_TIMEOUT",
      /finite number of seconds from 0 on, not the string 5/,
    ],
    [
      "sessionEncode of a number",
      () => inRun((s) => s.sessionEncode(5)),
      "INVALID_OPTION",
      /sessionEncode takes a URL as text, not 5/,
    ],
    [
      "sessionEncode of a URL object",
      () => inRun((s) => s.sessionEncode(new URL("https://shop.example/"))),
      "INVALID_OPTION",
      /pass url.href/,
    ],
  ]);
});
