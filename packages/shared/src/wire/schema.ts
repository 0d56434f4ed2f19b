import { z } from "zod";
import { SessionError } from "../session-error.ts";
import { type ChangesInput, maxOpsPerPush, type Push, protocol } from "./wire.ts";

/** What becomes a name of an object's, which `__proto__` and its like cannot be. */
const token = (max: number) =>
  z.string().regex(new RegExp(`^(?!(?:__proto__|constructor|prototype)$)[A-Za-z0-9_-]{8,${max}}$`));
const whole = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const encoded = z.string().max(16_777_216);

const op = z.strictObject({
  seq: whole.min(1),
  key: z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/),
  value: encoded.nullable(),
  base: whole,
  from: encoded.nullable().optional(),
});

/** The shape of a push. Only the server checks it, so only the server pays for zod. */
const pushSchema = z
  .strictObject({
    protocol: whole,
    identifier: token(80).nullable(),
    profile: token(64),
    writer: token(64),
    ops: z.array(op).max(maxOpsPerPush),
    upTo: whole,
    since: whole,
    acked: whole,
    checksum: z
      .string()
      .regex(/^\w{1,32}\.\w{1,8}$/)
      .optional(),
    heard: z
      .array(z.string().regex(/^[A-Za-z0-9_-]{8,64}\/\d{1,16}$/))
      .max(16)
      .optional(),
    nonce: z
      .string()
      .regex(/^[A-Za-z0-9_-]{43}$/)
      .optional(),
  })
  .refine(({ ops, upTo }) => ops.every((one, i) => one.seq > (ops[i - 1]?.seq ?? 0) && one.seq <= upTo), {
    message: "seqs must rise and stay within upTo",
    path: ["ops"],
  });

/** The shape of a wish to follow a session's changes. */
const changesSchema = z.strictObject({
  identifier: token(80),
  profile: token(64),
  writer: token(64),
  since: whole,
  lastEventId: z
    .string()
    .regex(/^\d{1,15}$/)
    .nullish(),
});

/** Reads a push; of another protocol's, the protocol alone. Throws `LIMIT_EXCEEDED` for too many ops, else `BAD_PUSH` with what is wrong; the message quotes no value. */
export function parsePush(input: unknown): Push {
  const { ops, protocol: spoken } = (input ?? {}) as { ops?: unknown; protocol?: unknown };
  // Of another version's push nothing can be read but that it is one: whoever sent it is told so.
  if (typeof spoken === "number" && spoken !== protocol) {
    return { protocol: spoken, identifier: null, profile: "", writer: "", ops: [], upTo: 0, since: 0, acked: 0 };
  }
  // Counted before each of them is looked at.
  if (Array.isArray(ops) && ops.length > maxOpsPerPush) {
    throw new SessionError(
      "LIMIT_EXCEEDED",
      `The push has ${ops.length} ops, and one carries ${maxOpsPerPush} at most: send the oldest first, the rest in another`,
    );
  }
  // zod's optional properties admit an explicit `undefined`, which JSON cannot carry.
  return parse(pushSchema, "push", input) as Push;
}

/** Reads the input of `changes`. Throws `BAD_PUSH` with what is wrong. */
export function parseChangesInput(input: unknown): ChangesInput {
  return parse(changesSchema, "subscription", input) as ChangesInput;
}

function parse<T>(schema: z.ZodType<T>, what: string, input: unknown): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const issues = result.error.issues.map(({ message, path }) => ({
    message,
    path: path.map((step) => (typeof step === "number" ? step : String(step))),
  }));
  const first = issues[0];
  throw new SessionError(
    "BAD_PUSH",
    `This is no ${what} of a Catnap client: ${first?.path.join(".") || "input"}: ${first?.message ?? "malformed"}`,
    { issues: issues.slice(0, 10) },
  );
}
