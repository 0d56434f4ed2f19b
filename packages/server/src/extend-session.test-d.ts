import { defineSession, type ValueOf } from "@catnap/shared";
import { expectTypeOf } from "vitest";
import { z } from "zod";
import { extendSession } from "./index.ts";

const shop = defineSession({ shared: { note: z.string() }, readonly: { user: z.string() } });
const server = extendSession(shop, { secret: { seed: z.number() }, migrate: { seed: Number }, trust: ["seed"] });

expectTypeOf<ValueOf<typeof server, "seed">>().toBeNumber();
expectTypeOf<ValueOf<typeof server, "note">>().toBeString();
extendSession(shop, { schemas: { note: z.string().max(3), user: z.string() } });
// @ts-expect-error it puts out something else than the shared one
extendSession(shop, { schemas: { note: z.number() } });
// @ts-expect-error no key of this name
extendSession(shop, { schemas: { nota: z.string() } });
// @ts-expect-error no key of the server's half
extendSession(shop, { secret: { seed: z.number() }, trust: ["note"] });
