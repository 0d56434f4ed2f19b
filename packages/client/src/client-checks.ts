import { type AnyDefinition, invalid, known, likeOne, shown } from "@catnap/shared";
import type { SessionClientOptions, Surroundings } from "./client-options.ts";
import type { HttpOptions } from "./sync/http-options.ts";

/** What an option has to be, and what to give instead of something else. */
type Rule = readonly [fits: (value: unknown) => boolean, remedy: string];
type Unknown = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Unknown => typeof value === "object" && value !== null;
const isFunction = (value: unknown) => typeof value === "function";
const isText = (value: unknown) => typeof value === "string" && value !== "";
const has = (value: unknown, ...methods: string[]) =>
  methods.every((name) => isFunction((Object(value) as Unknown)[name]));

const isDefinition = (value: unknown) => isObject(value) && value.keys instanceof Map;

const seconds: Rule = [(value) => typeof value === "number" && value >= 0, "give a number of seconds, 0 or more"];

/** Of each option: the compiler misses none. */
const rules: Record<keyof SessionClientOptions<AnyDefinition>, Rule> = {
  definition: [isDefinition, "pass what defineSession of this version of catnap returned"],
  http: [isObject, "pass the object that your httpLink gets"],
  path: [
    (value) => typeof value === "string" && /^[^\s./?#]+(\.[^\s./?#]+)*$/.test(value),
    'name the session\'s router as your tRPC client does, such as "session" or "shop.session"',
  ],
  live: [(value) => typeof value === "boolean", "give true or false"],
  idle: seconds,
  maxWait: seconds,
  unknownFor: seconds,
  name: [isText, 'give a text, such as "shop"'],
  initialSnapshot: [
    // A page whose server made none may say so with `null`.
    (value) => value === null || (isObject(value) && isObject(value.entries)),
    "pass what await session.snapshot() gave on the server",
  ],
  onConflict: [isFunction, "give a function, such as ({ key, what }) => …"],
  onExpired: [isFunction, "give a function, such as ({ code, unsent }) => …"],
  surroundings: [isObject, "give an object with the parts of the browser to replace"],
};

const httpRules: Record<keyof HttpOptions, Rule> = {
  // A URL of another window is none of this one's.
  url: [(value) => isText(value) || (isObject(value) && isText(value.href)), "give the URL of your tRPC route"],
  // superjson is a class.
  transformer: [
    (value) =>
      has(value, "serialize", "deserialize") ||
      (isObject(value) && has(value.input, "serialize") && has(value.output, "deserialize")),
    "give serialize and deserialize, as superjson has them, or { input, output }",
  ],
  headers: [(value) => isObject(value) || isFunction(value), "give an object, or a function that gives one"],
  fetch: [isFunction, "give a function, such as (url, init) => fetch(url, init)"],
  EventSource: [isFunction, "give a class, such as that of the npm package eventsource"],
  eventSourceOptions: [isObject, "give an object, such as { withCredentials: true }"],
};

/** Those of tRPC's links that the object may hold besides, for the app's own calls. */
const linkOptions = ["maxURLLength", "maxItems", "methodOverride", "streamHeader", "connectionParams"];

const parts: Record<keyof Surroundings, true> = {
  now: true,
  random: true,
  id: true,
  indexedDB: true,
  localStorage: true,
  channel: true,
  locks: true,
  page: true,
};

/** Checks the options of `createSessionClient`, in development alone: they are the app's code. Throws `INVALID_OPTION`. */
export function checkOptions(options: unknown): void {
  if (isDefinition(options)) throw invalid("createSessionClient was given a definition: pass { definition, http }");
  known("createSessionClient", options, Object.keys(rules));
  const { http, surroundings } = options as Unknown;
  hold("", options, rules, ["definition", "http"]);
  hold("http.", http, httpRules, ["url"]);
  // A version of tRPC to come may know more of them: only what is nearly one of these was meant for it.
  const names = [...Object.keys(httpRules), ...linkOptions];
  for (const name of Object.keys(http as Unknown)) {
    const meant = names.includes(name) ? undefined : likeOne(name.slice(0, 60), names);
    if (meant) throw invalid(`http has no option "${name.slice(0, 60)}": did you mean "${meant}"?`);
  }
  if (surroundings) known("surroundings", surroundings, Object.keys(parts));
}

/** Those that are not `needed` may be left out. */
function hold(what: string, options: unknown, of: Readonly<Record<string, Rule>>, needed: readonly string[]): void {
  for (const [name, [fits, remedy]] of Object.entries(of)) {
    const value = (options as Unknown)[name];
    if (value === undefined && !needed.includes(name)) continue;
    if (!fits(value)) throw invalid(`${what}${name} is ${shown(value)}: ${remedy}`);
  }
}
