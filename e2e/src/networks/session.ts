import { counter, defineSession } from "catnap";
import * as z from "zod";

/** What the pages of the network matrix keep. */
export const noted = defineSession({
  shared: { note: z.string(), clicks: counter() },
  readonly: { marks: z.number() },
});
