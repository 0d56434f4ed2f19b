"use client";

import type { ReactNode } from "react";
import { session } from "./session-client";

/** A form whose action sees what this tab has written, and after which the tab shows what the action has changed. */
export function SessionForm({ action, children }: { action(form: FormData): Promise<void>; children: ReactNode }) {
  return <form action={(form) => session.around(() => action(form))}>{children}</form>;
}
