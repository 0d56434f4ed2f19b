/** What the pages of the browser's figures do with a session. */
import { createSessionClient } from "catnap/client";
import { diskIsQuiet } from "./disk.ts";
import type { thousand } from "./sessions.ts";

type Session = ReturnType<typeof createSessionClient<typeof thousand>>;

/** A value of 100 bytes, with its quotes. */
export const value = (n: number | string): string => `${n}`.padStart(98, "x");

/** From nothing to where the value of `name` can be read, without the server. */
export async function firstValue(definition: typeof thousand, name: string): Promise<Session> {
  const never = () => new Promise<never>(() => {});
  const session = createSessionClient({ definition, http: { url: "/trpc", fetch: never } });
  const shown = new Promise<void>((resolve) => void session.subscribe(name, resolve));
  void session.awake();
  await shown;
  return session;
}

/** Writes all values, and waits until the server has them, and the disk what the server has answered. */
export async function fillSession(session: Session, names: readonly string[]): Promise<void> {
  for (const [n, name] of names.entries()) session.setValue(name, value(n));
  await session.sleep();
  await diskIsQuiet();
  session.close();
}
