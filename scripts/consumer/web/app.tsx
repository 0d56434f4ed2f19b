import { createSessionHooks, SessionProvider, useSession, useSessionStatus, useSessionValue } from "catnap/react";
import type { forum, shop } from "../api/session.js";
import { second, session } from "./client.js";

declare module "catnap/react" {
  interface Register {
    definition: typeof shop;
  }
}

export const forumHooks = createSessionHooks<typeof forum>();
export const { useSessionValue: useForumValue } = forumHooks;

export const useTheme = () => useSessionValue("theme");
export const useUser = () => useSessionValue("user");
export const useDraft = () => useForumValue("draft");
export const useSetUser = () => useUser()[1];
export const useShop = () => useSession();
export const useState = () => useSessionStatus();

export const App = () => (
  <SessionProvider client={session}>
    <forumHooks.SessionProvider client={second}>
      <i />
    </forumHooks.SessionProvider>
  </SessionProvider>
);
