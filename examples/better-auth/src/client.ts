import { createAuthClient } from "better-auth/client";
import { usernameClient } from "better-auth/client/plugins";
import { createSessionClient } from "catnap/client";
import { shop } from "./session";

export const session = createSessionClient({ definition: shop, http: { url: "/trpc" } });

const auth = createAuthClient({ plugins: [usernameClient()] });

/** Signs in with better-auth. Throws what it refuses. */
export async function logIn(username: string, password: string): Promise<void> {
  // What is in the cart comes along, and the tab shows the session that the sign-in has begun.
  const { error } = await session.around(() => auth.signIn.username({ username, password }));
  if (error) throw new Error(error.message);
}

export async function logOut(): Promise<void> {
  const { error } = await auth.signOut();
  if (error) throw new Error(error.message);
  await session.invalidate(); // in every tab at once, and on the server if better-auth's session was gone already
}
