import type { SessionErrorCode } from "@catnap/shared";
import { expectTypeOf } from "vitest";
import type { Shop, Tab } from "../../test/world.ts";
import { type ClientSession, type Conflict, createSessionClient, type SessionClientOptions } from "../index.ts";

declare const session: Tab["session"];
declare const options: SessionClientOptions<Shop>;

const end = session.onConflict((conflict) => {
  expectTypeOf(conflict).toEqualTypeOf<Conflict<Shop>>();
  expectTypeOf(conflict.what).toEqualTypeOf<"lost" | "merged" | "rejected">();
  expectTypeOf(conflict.code).toEqualTypeOf<SessionErrorCode | undefined>();
  if (conflict.what === "rejected") expectTypeOf(conflict.mine).toEqualTypeOf<unknown>();
  else if (conflict.key === "theme") expectTypeOf(conflict.mine).toEqualTypeOf<"light" | "dark" | undefined>();
  else if (conflict.key === "note") expectTypeOf(conflict.mine).toEqualTypeOf<string | undefined>();
  // @ts-expect-error the definition has no such key
  if (conflict.key === "them") return;
  // @ts-expect-error a browser writes no readonly key, and so loses none
  if (conflict.key === "user") return;
});
expectTypeOf(end).toEqualTypeOf<() => void>();

session.onConflict(({ key, what, mine }) => {
  if (key === "theme" && what === "lost") session.setValue(key, mine ?? "light");
});
session.onExpired(({ code, unsent }) => {
  expectTypeOf(code).toEqualTypeOf<"SESSION_EXPIRED" | "SESSION_GONE" | "SESSION_REPLACED">();
  expectTypeOf(unsent[0]).toEqualTypeOf<{ readonly key: string; readonly value: unknown } | undefined>();
});

createSessionClient({
  ...options,
  onConflict({ key, what, mine }) {
    if (key === "note" && what !== "rejected") expectTypeOf(mine).toEqualTypeOf<string | undefined>();
  },
});

// One of any definition takes the session of each.
const any: ClientSession = session;
any.onConflict(({ key, mine }) => {
  expectTypeOf(key).toEqualTypeOf<string>();
  expectTypeOf(mine).toBeAny();
});

expectTypeOf(session.awake()).toEqualTypeOf<Promise<void>>();
