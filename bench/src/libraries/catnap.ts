import { createSessionClient } from "catnap/client";
import { fillSession, firstValue } from "../page-session.ts";
import { many, manyNames, thousand } from "../sessions.ts";
import type { Library } from "./library.ts";

const http = { url: "/trpc" };

/** The session of 10,000 keys as a page shows it before the server answers; a smaller one sleeps only when told. */
export const catnap: Library = {
  async open(names) {
    const session =
      names.length === manyNames.length
        ? await firstValue(many, manyNames.at(-1)!)
        : createSessionClient({ definition: thousand, http, idle: 3_600, maxWait: 3_600 });
    if (names.length < manyNames.length) await session.awake();
    // A page does not wait long for a slow disk.
    while (session.status().storage !== "disk") await new Promise((resolve) => setTimeout(resolve, 10));
    return {
      read: (name) => session.value(name),
      write: (name, value) => session.setValue(name, value),
      writeAll(all) {
        for (const [name, value] of all) session.setValue(name, value);
      },
      subscribe: (name, told) => void session.subscribe(name, told),
    };
  },

  /** The server has all values, and what it has answered is on disk. */
  async fill() {
    const session = createSessionClient({ definition: many, http, path: "many" });
    await session.awake();
    await fillSession(session, manyNames);
  },
};
