"use client";

import { useSessionValue } from "catnap/react";

export function Shop() {
  const [theme, setTheme] = useSessionValue("theme");
  const [cart, setCart] = useSessionValue("cart");
  const [user] = useSessionValue("user");
  return (
    <>
      <p data-testid="theme">{theme}</p>
      <p data-testid="user">{user?.name ?? "nobody"}</p>
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
