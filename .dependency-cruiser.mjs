// The arrows between the layers: react → client → shared ← server ← adapters, testing → all of them, catnap → all,
// and nobody → catnap but apps, e2e and bench. Type-only imports count.
// Tests stand beside their source, but may reach further than it, though never to the built package.

const tests = "\\.test(-d)?\\.tsx?$|^packages/[^/]+/test/";

/** What `layer` may not import: every private layer but the `allowed` ones. */
function arrow(/** @type {string} */ layer, /** @type {string[]} */ ...allowed) {
  const forbidden = ["shared", "server", "client", "react", "adapters", "testing"].filter(
    (other) => other !== layer && !allowed.includes(other),
  );
  return {
    name: `arrow-${layer}`,
    comment: `${layer} may import ${allowed.join(", ") || "no other layer"}.`,
    severity: "error",
    from: { path: `^packages/${layer}/src/`, pathNot: tests },
    to: { path: `^(packages/|@catnap/)(${forbidden.join("|")})(/|$)` },
  };
}

// The rooms of the server go one way: request → commit → sync → upkeep → identity → stores, sync → versions → stores, and
// commit → bearer → exchange → identity. Settings lie between upkeep and identity,
// `sessions.ts` on top. In `stores` itself lie the contract and what all stores share; a store knows no other store.

const server = "^packages/server/src/";
/** Where the rooms of the server are, and the files beside them. */
const rooms = {
  stores: "stores/[^/]+\\.ts$",
  "stores/memory": "stores/memory/",
  "stores/sqlite": "stores/sqlite/",
  "stores/postgres": "stores/postgres/",
  "stores/redis": "stores/redis/",
  identity: "identity/",
  versions: "versions/",
  upkeep: "upkeep/",
  sync: "sync/",
  exchange: "exchange/",
  bearer: "bearer/",
  commit: "commit/",
  request: "request/",
  "index.ts": "index\\.ts$",
  "sessions.ts": "sessions\\.ts$",
  "settings.ts": "settings\\.ts$",
  "option-checks.ts": "option-checks\\.ts$",
  "extend-session.ts": "extend-session\\.ts$",
  "definition-checks.ts": "definition-checks\\.ts$",
  "events.ts": "events\\.ts$",
  "trpc-error.ts": "trpc-error\\.ts$",
  "once.ts": "once\\.ts$",
  "random.ts": "random\\.ts$",
  "http-status.ts": "http-status\\.ts$",
};

/**
 * What a room may import of the server: itself and the `allowed` ones.
 * @param {keyof typeof rooms} name
 * @param {(keyof typeof rooms)[]} allowed
 */
function room(name, ...allowed) {
  return {
    name: `room-${name}`,
    comment: `Of the server, ${name} may import ${allowed.join(", ") || "nothing"} besides itself.`,
    severity: "error",
    from: { path: server + rooms[name], pathNot: tests },
    to: { path: server, pathNot: [name, ...allowed].map((each) => server + rooms[each]) },
  };
}

// The rooms of the client go one way: link → tab → life, sync → storage → replica. `page.ts` stands alone.

const client = "^packages/client/src/";
const clientRooms = {
  replica: "replica/",
  storage: "storage/",
  sync: "sync/",
  link: "link/",
  "page.ts": "page\\.ts$",
  "tab.ts": "tab(-core|-parts|-tells)?\\.ts$",
  "life.ts": "life\\.ts$",
  "session.ts": "session\\.ts$",
};

/**
 * What a room of the client may import of it: itself and the `allowed` ones.
 * @param {keyof typeof clientRooms} name
 * @param {(keyof typeof clientRooms)[]} allowed
 */
function clientRoom(name, ...allowed) {
  return {
    name: `client-room-${name}`,
    comment: `Of the client, ${name} may import ${allowed.join(", ") || "nothing"} besides itself.`,
    severity: "error",
    from: { path: client + clientRooms[name], pathNot: tests },
    to: { path: client, pathNot: [name, ...allowed].map((each) => client + clientRooms[each]) },
  };
}

// The rooms of shared stand on the files beside them: session → definition ← wire.

const shared = "^packages/shared/src/";

/**
 * What a room of shared, or the files beside them, may import of its rooms: itself and the `allowed` ones.
 * @param {"definition" | "wire" | "session" | "beside"} name
 * @param {"definition"[]} allowed
 */
function sharedRoom(name, ...allowed) {
  return {
    name: `shared-room-${name}`,
    comment: `Of the rooms of shared, ${name} may import ${allowed.join(", ") || "none"} besides itself.`,
    severity: "error",
    from: { path: shared + (name === "beside" ? "(?!index)[^/]+$" : `${name}/`), pathNot: tests },
    to: { path: `${shared}[^/]+/`, pathNot: [name, ...allowed].map((each) => `${shared}${each}/`) },
  };
}

/** A store's room has one way in, the file that makes the store. */
function wayIn(/** @type {"memory" | "sqlite" | "postgres" | "redis"} */ store) {
  const inside = `${server}stores/${store}/`;
  return {
    name: `way-into-stores/${store}`,
    comment: `From outside, only stores/${store}/${store}-store.ts is imported, as @catnap/server/${store}.`,
    severity: "error",
    from: { path: "^(packages|apps|e2e|bench)/", pathNot: [inside, tests] },
    to: { path: `${inside}(?!${store}-store\\.ts$)` },
  };
}

/** @type {import("dependency-cruiser").IConfiguration} */
export default {
  forbidden: [
    arrow("shared"),
    arrow("server", "shared"),
    arrow("client", "shared"),
    arrow("react", "client", "shared"),
    arrow("adapters", "server", "shared"),
    room("option-checks.ts"),
    room("definition-checks.ts", "option-checks.ts"),
    room("events.ts"),
    room("extend-session.ts", "option-checks.ts"),
    room("once.ts", "option-checks.ts"),
    room("http-status.ts"),
    room("random.ts"),
    room("trpc-error.ts", "http-status.ts"),
    room("stores", "option-checks.ts"),
    room("stores/memory", "stores", "option-checks.ts"),
    room("stores/sqlite", "stores", "option-checks.ts"),
    room("stores/postgres", "stores", "option-checks.ts"),
    room("stores/redis", "stores", "option-checks.ts", "random.ts"),
    room("identity", "stores", "option-checks.ts", "trpc-error.ts", "random.ts"),
    room("settings.ts", "definition-checks.ts", "identity", "stores", "option-checks.ts", "events.ts"),
    room("upkeep", "settings.ts", "identity", "stores", "option-checks.ts"),
    room("versions", "stores"),
    room("sync", "option-checks.ts", "versions", "upkeep", "settings.ts", "identity", "stores"),
    room("exchange", "identity", "option-checks.ts"),
    room("bearer", "exchange", "upkeep", "settings.ts", "identity", "stores"),
    room("commit", "versions", "bearer", "exchange", "sync", "upkeep", "settings.ts", "identity", "stores"),
    room(
      "request",
      ...[
        "versions",
        "commit",
        "bearer",
        "exchange",
        "sync",
        "upkeep",
        "settings.ts",
        "identity",
        "stores",
        "option-checks.ts",
        "trpc-error.ts",
      ],
    ),
    room(
      "sessions.ts",
      ...[
        "request",
        "exchange",
        "sync",
        "upkeep",
        "settings.ts",
        "identity",
        "stores",
        "option-checks.ts",
        "http-status.ts",
      ],
    ),
    room(
      "index.ts",
      ...[
        "sessions.ts",
        "extend-session.ts",
        "request",
        "exchange",
        "sync",
        "upkeep",
        "settings.ts",
        "identity",
        "stores",
        "events.ts",
        "once.ts",
      ],
    ),
    sharedRoom("beside"),
    sharedRoom("definition"),
    sharedRoom("wire", "definition"),
    sharedRoom("session", "definition"),
    clientRoom("page.ts"),
    clientRoom("replica"),
    clientRoom("storage", "replica"),
    clientRoom("sync", "storage", "replica"),
    clientRoom("life.ts", "storage", "replica"),
    clientRoom("tab.ts", "life.ts", "sync", "storage", "replica"),
    clientRoom("session.ts", "tab.ts", "replica"),
    clientRoom("link", "session.ts", "tab.ts", "sync", "replica"),
    wayIn("memory"),
    wayIn("sqlite"),
    wayIn("postgres"),
    wayIn("redis"),
    {
      name: "nobody-imports-catnap",
      comment: "The published package is the end of the line: only apps, e2e and bench use it.",
      severity: "error",
      from: { path: "^packages/", pathNot: "^packages/catnap/" },
      to: { path: "^(packages/catnap|catnap)(/|$)" },
    },
    {
      name: "users-import-catnap-only",
      comment: "Apps, e2e and bench see what a user sees: catnap, not its layers.",
      severity: "error",
      from: { path: "^(apps|e2e|bench)/" },
      to: {
        path: "^(packages/(?!catnap/)|packages/catnap/src/|@catnap/(shared|server|client|react|adapters|testing))",
      },
    },
    {
      name: "zod-in-schema-only",
      comment: "One import of zod outweighs the whole browser bundle: only shared/src/wire/schema.ts has it.",
      severity: "error",
      from: { path: "^packages/", pathNot: ["^packages/shared/src/wire/schema\\.ts$", tests] },
      to: { path: "(^|/)node_modules/zod/|^zod(/|$)" },
    },
    {
      name: "no-schema-in-browser",
      comment:
        "shared/src/wire/schema.ts carries zod, so nothing that a browser loads imports it, not even shared's entry.",
      severity: "error",
      from: {
        path: "^packages/(shared|client|react)/src/|^packages/catnap/src/(index|client|react)\\.ts$",
        pathNot: tests,
      },
      to: { path: "^packages/shared/src/wire/schema\\.ts$|^@catnap/shared/schema$" },
    },
    {
      name: "runs-anywhere",
      comment: "shared, client and react know no Node.",
      severity: "error",
      from: { path: "^packages/(shared|client|react)/src/", pathNot: tests },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "no-react-below-react",
      comment: "React is in the react layer alone (and in catnap/react).",
      severity: "error",
      from: { path: "^packages/(shared|server|client)/src/", pathNot: tests },
      to: { path: "(^|/)node_modules/(@types/)?react(-dom)?/|^react(-dom)?(/|$)" },
    },
    {
      name: "no-trpc-in-browser",
      comment: "What a browser loads has no tRPC of ours: users bring their client.",
      severity: "error",
      from: { path: "^packages/(shared|client|react)/src/", pathNot: tests },
      to: { path: "(^|/)node_modules/@trpc/|^@trpc/", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "no-circles",
      comment: "Two modules that import each other are one module in two files.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "resolves",
      comment: "An import that leads nowhere.",
      severity: "error",
      from: { path: "^packages/" },
      to: { couldNotResolve: true, pathNot: "^node:|^next/" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)(dist|coverage|test-results|playwright-report)/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.base.json" },
    combinedDependencies: true,
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["types", "import", "default"],
      extensions: [".ts", ".tsx", ".d.ts", ".mjs", ".js"],
    },
  },
};
