import { SessionError } from "@catnap/shared";
import type { StoreKey } from "../store.ts";

/** One session that cannot be read, on a server that is well otherwise. The message names the session, and never a value. */
export class UnreadableSession extends SessionError {
  readonly identifier: StoreKey;

  constructor(identifier: StoreKey, fault: string, cause?: unknown) {
    super("STORE_UNUSABLE", `Session ${identifier} cannot be read: ${fault}`, { cause });
    this.identifier = identifier;
  }

  /** A part of its hash is not what a commit has written. */
  static malformed(identifier: StoreKey, part: string, cause?: unknown): UnreadableSession {
    const remedy = "end it with sessions.revoke, or restore its key from a backup";
    return new UnreadableSession(identifier, `${part} is malformed in Redis: ${remedy}`, cause);
  }
}

/** The first word of what a server answers in place of a reply: Redis's error code. */
export function codeOf(error: unknown): string {
  return error instanceof Error ? (/^[A-Z]+(?= |$)/.exec(error.message)?.[0] ?? "") : "";
}

/** What a server says, without a code of its own, when a user may not do what a script does: Redis 7.0, and those after it. */
const refusal = /^ERR (The user executing the script can't|ACL failure in script)/;

/** After these no retry helps: somebody has to see to the server. */
const unusable: Readonly<Record<string, string>> = {
  WRONGTYPE: "holds something else under this prefix: name another one",
  NOAUTH: "wants a password: see to the client's settings",
  WRONGPASS: "refuses this password: see to the client's settings",
  NOPERM: "refuses this user: allow it the commands, keys and channels of this prefix",
};

const passing: Readonly<Record<string, string>> = {
  READONLY: "is a replica and takes no writes: let the client find the master",
  OOM: "has no memory left: give it more, or make sessions shorter",
  MISCONF: "cannot save to its disk and takes no writes: see to the disk",
  NOREPLICAS: "has too few replicas to take writes: see to them",
  CLUSTERDOWN: "has slots that nobody serves: see to the cluster",
  LOADING: "is loading its data: try again",
  MASTERDOWN: "has lost its master: wait for the failover",
  BUSY: "is busy with a script: see to it",
  MOVED: "is handing the session's slot to another: try again",
  ASK: "is handing the session's slot to another: try again",
  TRYAGAIN: "is handing the session's slot to another: try again",
  LATE: "says that it came too late: nothing was written; look after its load and the network, then try again",
  ERR: "answered with an error that has no code of its own: the cause says which",
};

/** What a client threw, as the contract has it, and whose session it was about. The client's error is the `cause`. */
export function translate(error: unknown, identifier?: StoreKey): SessionError {
  if (error instanceof SessionError) return error;
  const code = error instanceof Error && refusal.test(error.message) ? "NOPERM" : codeOf(error);
  if (identifier !== undefined && code === "UNREADABLE") {
    return UnreadableSession.malformed(identifier, `the field ${wordsOf(error)[1]}`, error);
  }
  if (identifier !== undefined && code === "WRONGTYPE") {
    const fault = "the server holds something else at its key, or at that of an index: name another prefix";
    return new UnreadableSession(identifier, fault, error);
  }
  const remedy = unusable[code];
  if (remedy !== undefined) {
    return new SessionError("STORE_UNUSABLE", `The session server ${remedy}`, { cause: error });
  }
  const words =
    passing[code] ?? "could not be reached: make sure that it is up and the client finds it; the cause says why";
  return new SessionError("STORE_UNAVAILABLE", `The session server ${words}`, { cause: error });
}

function wordsOf(error: unknown): string[] {
  return error instanceof Error ? error.message.split(" ") : [];
}

/** How often a cluster may lead a command on to another server before it counts as failed. */
export const redirections = 16;
