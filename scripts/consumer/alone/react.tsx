import { createSessionHooks, SessionProvider, useSession, useSessionStatus, useSessionValue } from "catnap/react";

export const hooks = createSessionHooks();
export const Provider = SessionProvider;
export const useMine = () => useSession();
export const useStatus = () => useSessionStatus();
export const useValue = useSessionValue;
