import { initTRPC } from "@trpc/server";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { type AnyDefinition, counter, defineSession, type Session } from "catnap";
import { createSessionClient } from "catnap/client";
import { type Commit, createSessions, memoryStore, type SessionStore, type WakeSource } from "catnap/server";
import { big, names } from "./sessions.ts";

/** What one request of a real session has asked of its store, and the cookie that the browser has after it. */
interface Rehearsed {
  readonly commit: Commit;
  /** The cookie of a session by this identifier of which the same is asked: all of one rehearsal have the same secrets. */
  cookie(identifier: string): string;
}

/** A session that begins, and one whose token is then rotated: to be done again under other identifiers, as long as this. */
export interface Rehearsal {
  readonly length: number;
  readonly begun: Rehearsed;
  readonly rotated: Rehearsed;
}

const origin = "http://127.0.0.1";

/** A browser that keeps its cookie, and sessions over a store that notes what is asked of it. */
function stage<D extends AnyDefinition>(definition: D) {
  const memory = memoryStore();
  const commits: [key: string, commit: Commit][] = [];
  const store: SessionStore = {
    ...memory,
    write(key, commit) {
      commits.push([key, commit]);
      return memory.write(key, commit);
    },
  };
  // As long as `growth` lets its sessions live: a session of another timeout would be brought to today's at its first use.
  const sessions = createSessions({ definition, store, timeout: 86_400 });
  let cookie = "";
  const headers = () => ({ cookie, "sec-fetch-site": "same-origin", "content-type": "application/json" });
  const keep = (response: Response) => {
    cookie = response.headers.getSetCookie()[0]?.split(";")[0] ?? cookie;
    return response;
  };
  const request = async (change: (session: Session<D>) => void) => {
    const made = new Request(origin, { method: "POST", headers: headers() });
    const answer = await sessions.run(made, (session) => {
      change(session);
      return new Response();
    });
    keep(answer);
  };
  /** The one commit since it was last asked. */
  const rehearsed = (): Rehearsed & { key: string } => {
    const [first, ...others] = commits.splice(0);
    if (!first || others.length > 0) throw new Error("a rehearsed request commits once");
    const [key, commit] = first;
    const now = cookie;
    return { key, commit, cookie: (identifier) => now.replace(key, identifier) };
  };
  /** Begins a session, then rotates its token. */
  const rehearse = async (begin: () => Promise<void>): Promise<Rehearsal> => {
    await begin();
    const begun = rehearsed();
    await request((session) => session.rotate());
    return { length: begun.key.length, begun, rotated: rehearsed() };
  };
  return { sessions, headers, keep, request, rehearse };
}

const clicks = defineSession({ shared: { clicks: counter() } });

/** A session of one counter that the server begins. */
export function oneCounter(): Promise<Rehearsal> {
  const { request, rehearse } = stage(clicks);
  return rehearse(() => request((session) => session.update("clicks", (n) => n + 1)));
}

/** A session of ten values of 100 bytes that the server begins. */
export function tenValues(): Promise<Rehearsal> {
  const { request, rehearse } = stage(big);
  return rehearse(() =>
    request((session) => {
      for (const name of names.slice(0, 10)) session.setValue(name, "x".repeat(98));
    }),
  );
}

/** A session of one counter that a browser's first push begins: it holds the browser's watermark and who wrote the value. */
export function syncedCounter(): Promise<Rehearsal> {
  const { sessions, headers, keep, rehearse } = stage(clicks);
  const createContext = (options: WakeSource) => ({ session: sessions.wake(options) });
  const t = initTRPC.context<typeof createContext>().create();
  const router = t.router({ session: sessions.router({ procedure: t.procedure.use(sessions.middleware) }) });
  const answer = async (url: string, init: RequestInit) => {
    const req = new Request(url, { ...init, headers: headers() });
    return keep(await fetchRequestHandler({ endpoint: "/trpc", req, router, createContext }));
  };
  return rehearse(async () => {
    const client = createSessionClient({ definition: clicks, http: { url: `${origin}/trpc`, fetch: answer } });
    await client.awake();
    client.update("clicks", (n) => n + 1);
    await client.sleep();
    client.close();
  });
}
