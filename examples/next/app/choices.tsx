"use client";

import { useSession, useSessionValue } from "catnap/react";
import type { ReactNode } from "react";

export function Choices() {
  const [theme, setTheme] = useSessionValue("theme");
  const [cart, setCart] = useSessionValue("cart");
  return (
    <>
      <p data-testid="theme">{theme}</p>
      <p data-testid="cart">{cart.join(", ") || "empty"}</p>
      <button type="button" onClick={() => setTheme(theme === "dark" ? "light" : "dark")}>
        Toggle theme
      </button>
      <button type="button" onClick={() => setCart((lines) => [...lines, "tea"])}>
        Add tea
      </button>
    </>
  );
}

/** A form whose action sees what this tab has written, and whose changes show in the tab when it has answered. */
export function SessionForm({ action, children }: { action(form: FormData): Promise<void>; children: ReactNode }) {
  const session = useSession();
  const submit = async (form: FormData) => {
    await session.sleep();
    await action(form).finally(() => session.awake());
  };
  return <form action={submit}>{children}</form>;
}
