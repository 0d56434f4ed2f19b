import { useSession, useSessionValue } from "catnap/react";
import { useState } from "react";
import { trpc } from "./client";
import type { shop } from "./session";

declare module "catnap/react" {
  interface Register {
    definition: typeof shop; // types the hooks
  }
}

export function App() {
  const session = useSession();
  const [theme, setTheme] = useSessionValue("theme");
  const [cart, setCart] = useSessionValue("cart");
  const [user] = useSessionValue("user");
  const [problem, setProblem] = useState("");
  const attempt = (work: Promise<unknown>) =>
    work.then(
      () => setProblem(""),
      (error) => setProblem(String(error)),
    );
  return (
    <main>
      <p data-testid="theme">{theme}</p>
      <p data-testid="user">{user?.name ?? "nobody"}</p>
      <p data-testid="cart">{cart.join(", ") || "empty"}</p>
      <button type="button" onClick={() => setTheme(theme === "dark" ? "light" : "dark")}>
        Toggle theme
      </button>
      <button type="button" onClick={() => setCart((lines) => [...lines, "tea"])}>
        Add tea
      </button>
      <form action={(form) => attempt(trpc.login.mutate({ name: String(form.get("name")) }))}>
        <label>
          Name <input name="name" required />
        </label>
        <button type="submit">Log in</button>
      </form>
      <button type="button" onClick={() => attempt(session.invalidate())}>
        Log out
      </button>
      {problem && <p role="alert">{problem}</p>}
    </main>
  );
}
