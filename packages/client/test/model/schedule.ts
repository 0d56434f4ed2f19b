import fc from "fast-check";
import type { Version } from "./device.ts";
import type { Health } from "./disk.ts";
import { type Halt, month } from "./request.ts";

/** One step of a schedule. `device`, `tab` and `message` choose among those that there are by then. */
export type Step = {
  readonly device: number;
  readonly tab: number;
} & (
  | { readonly do: "note" | "essay" | "unnote" | "mood" | "visit" | "tag" }
  | { readonly do: "open" | "kill" | "hide" | "show" | "freeze" | "thaw" | "sleep" | "awake" | "invalidate" }
  /** `essay`: the tab writes something just then that is long. */
  | { readonly do: "limit"; readonly bytes: number; readonly essay: boolean }
  | { readonly do: "hang"; readonly message: number; readonly where: Halt }
  /** A gateway answers: with this `status`, or, when the server has `handled` the request, that it failed. */
  | {
      readonly do: "gateway";
      readonly message: number;
      readonly handled: boolean;
      readonly status: number;
      readonly retryAfter?: number | undefined;
    }
  /** `rolling`: processes of the version before answer for a while, too. */
  | { readonly do: "deploy"; readonly version: Version; readonly rolling: boolean }
  /** `late`: the page was rendered a while ago. */
  | { readonly do: "load"; readonly late: boolean }
  /** One key with a merge is written to in each frame. */
  | { readonly do: "drag"; readonly key: "visit" | "tag"; readonly frames: number }
  /** `lost`: and what it sends at last never arrives. */
  | { readonly do: "close"; readonly lost: boolean }
  | { readonly do: "deliver" | "deliver twice" | "answer" | "lose"; readonly message: number }
  | { readonly do: "network"; readonly rounds: number }
  | { readonly do: "pass"; readonly seconds: number }
  | { readonly do: "rotate" | "login" | "logout"; readonly lost: boolean }
  /** `writing`: each tab of the device makes a change just then. */
  | { readonly do: "disk"; readonly health: Health; readonly writing: boolean }
  /** After so many calls of the store; `sending`: each tab of the device has just sent a change; `lost`: so are answers on their way. */
  | { readonly do: "crash"; readonly calls: number; readonly sending: boolean; readonly lost: boolean }
  | {
      readonly do:
        | "revoke"
        | "share"
        | "meet"
        | "sweep"
        | "forget cookie"
        | "evict"
        | "clear site data"
        | "back up"
        | "restore"
        | "restart"
        | "rush"
        | "render"
        | "navigate"
        | "refuse cookies";
    }
);

type What = fc.Arbitrary<Omit<Step, "device" | "tab">>;
const oneOf = <T extends Step["do"]>(...what: T[]) => fc.record({ do: fc.constantFrom(...what) });

// A request calls the store twice or so, and several of them may be cut off together.
const crash: What = fc.record({
  do: fc.constant("crash"),
  calls: fc.nat(4),
  sending: fc.boolean(),
  lost: fc.boolean(),
});
const close: What = fc.record({ do: fc.constant("close"), lost: fc.boolean() });
const restart: What = oneOf("restart");
const deploy: What = fc.record({
  do: fc.constant("deploy"),
  version: fc.constantFrom<Version>("older", "newer"),
  rolling: fc.boolean(),
});
const disk: What = fc.record({
  do: fc.constant("disk"),
  health: fc.constantFrom<Health>("full", "broken", "stuck", "fine"),
  writing: fc.boolean(),
});

const hang: What = fc.record({
  do: fc.constant("hang"),
  message: fc.nat(2),
  where: fc.constantFrom<Halt>("there", "there", "back", "body"),
});
const gateway: What = fc.oneof(
  fc.record({
    do: fc.constant("gateway"),
    message: fc.nat(2),
    handled: fc.boolean(),
    status: fc.constantFrom(401, 413, 502),
  }),
  fc.record({
    do: fc.constant("gateway"),
    message: fc.nat(2),
    handled: fc.constant(false),
    status: fc.constant(429),
    retryAfter: fc.constantFrom(5, month),
  }),
);
/** A pull passes any of them. */
const limit: What = fc.record({
  do: fc.constant("limit"),
  bytes: fc.constantFrom(600, 700, Number.POSITIVE_INFINITY),
  essay: fc.boolean(),
});
const page: What = fc.oneof(
  oneOf("render", "navigate"),
  fc.record({ do: fc.constant("load"), late: fc.boolean() }),
  fc.record({ do: fc.constant("load"), late: fc.constant(true) }),
);
const drag: What = fc.record({
  do: fc.constant("drag"),
  key: fc.constantFrom("visit", "tag"),
  frames: fc.integer({ min: 5, max: 20 }),
});

const common: { readonly weight: number; readonly arbitrary: What }[] = [
  { weight: 10, arbitrary: oneOf("note", "mood", "visit", "visit", "tag", "unnote") },
  { weight: 6, arbitrary: oneOf("sleep", "awake", "hide", "show") },
  { weight: 3, arbitrary: oneOf("open", "kill", "freeze", "thaw") },
  {
    weight: 10,
    arbitrary: fc.record({ do: fc.constantFrom("deliver", "deliver twice", "answer", "lose"), message: fc.nat(5) }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("network"), rounds: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 3, arbitrary: oneOf("meet") },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("pass"), seconds: fc.constantFrom(1, 1, 5, 61, 3601) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("rotate", "login", "logout"), lost: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: oneOf(
      "share",
      "share",
      "evict",
      "clear site data",
      "revoke",
      "sweep",
      "forget cookie",
      "back up",
      "restore",
      "invalidate",
      "rush",
      "refuse cookies",
    ),
  },
  { weight: 2, arbitrary: fc.oneof(crash, restart) },
  { weight: 1, arbitrary: disk },
  { weight: 1, arbitrary: close },
  { weight: 2, arbitrary: fc.oneof(hang, gateway) },
  { weight: 1, arbitrary: limit },
  { weight: 1, arbitrary: page },
  { weight: 1, arbitrary: drag },
  { weight: 1, arbitrary: deploy },
];

/** Steps among which one kind is frequent: two troubles are met together more often where the rest does not come between. */
const stepsWith = (much: What): fc.Arbitrary<Step> =>
  fc
    .tuple(fc.record({ device: fc.nat(1), tab: fc.nat(2) }), fc.oneof(...common, { weight: 8, arbitrary: much }))
    // Each record has the fields of its own kind of step.
    .map(([where, what]) => ({ ...where, ...what }) as Step);

/** Most of them short, for the odd orders, and one in four long, for the odd histories. */
const listsOf = (step: fc.Arbitrary<Step>, maxLength: number) =>
  fc.oneof(
    { weight: 3, arbitrary: fc.array(step, { minLength: 1, maxLength }) },
    { weight: 1, arbitrary: fc.array(step, { minLength: 1, maxLength, size: "max" }) },
  );

/** Two devices in one session, of which one has two tabs and a live stream: a schedule that begins anew seldom gets so far. */
const acquainted: Step[] = [
  { device: 0, tab: 0, do: "note" },
  { device: 0, tab: 0, do: "open" },
  { device: 0, tab: 0, do: "meet" },
];

/** Two tabs of a first visit that cannot learn from their disk whose browser it is, and write at once. */
const blind = (health: Health): Step[] => [
  { device: 0, tab: 0, do: "disk", health, writing: false },
  { device: 0, tab: 0, do: "open" },
  { device: 0, tab: 0, do: "visit" },
  { device: 0, tab: 1, do: "tag" },
];

/** Several tabs of a first visit in one moment: each has begun to write and to send before it hears of the others. */
const rush: Step[] = [{ device: 0, tab: 0, do: "rush" }];

/** A page with a session, which the server has rendered once more. */
const rendered: Step[] = [
  { device: 0, tab: 0, do: "note" },
  { device: 0, tab: 0, do: "sleep" },
  { device: 0, tab: 0, do: "network", rounds: 1 },
  { device: 0, tab: 0, do: "render" },
];

/** A deploy that is rolled back while pages of the newer version are open. */
const backwards: Step[] = [
  { device: 0, tab: 0, do: "deploy", version: "older", rolling: true },
  { device: 0, tab: 0, do: "tag" },
  { device: 0, tab: 0, do: "mood" },
  { device: 0, tab: 0, do: "open" },
];

/**
 * What every schedule begins with: a page of the older version, beside one of the newer, at a server of the newer one. `rolling`:
 * an older process answers for a while, too.
 */
const mixed = (rolling: boolean): Step[] => [
  { device: 1, tab: 0, do: "deploy", version: "older", rolling: false },
  { device: 1, tab: 0, do: "open" },
  { device: 1, tab: 0, do: "deploy", version: "newer", rolling },
];

/** A browser that keeps no cookie. */
const without: Step[] = [{ device: 0, tab: 0, do: "refuse cookies" }];

const beginnings = [
  ...[[], [], [], rush, without, rendered, acquainted, acquainted],
  ...[blind("full"), blind("broken"), blind("stuck")],
  backwards,
  backwards,
];
const longest = mixed(false).length + Math.max(...beginnings.map(({ length }) => length));

/** Any schedule of up to so many steps, with one kind of trouble more than the others. */
export const schedules = (maxLength: number): fc.Arbitrary<Step[]> => {
  const troubles = [
    fc.oneof(crash, restart),
    fc.oneof(crash, restart),
    fc.oneof({ weight: 3, arbitrary: disk }, oneOf("kill"), close),
    fc.oneof(hang, gateway, limit),
    fc.oneof({ weight: 4, arbitrary: page }, drag),
  ];
  const lists = troubles.map((much) => listsOf(stepsWith(much), maxLength - longest));
  return fc
    .tuple(fc.constantFrom(false, false, true), fc.constantFrom(...beginnings), fc.oneof(...lists))
    .map(([rolling, before, after]) => [...mixed(rolling), ...before, ...after]);
};
