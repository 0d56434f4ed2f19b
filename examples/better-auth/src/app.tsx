import { useSessionValue } from "catnap/react";
import { useActionState } from "react";
import { logIn, logOut } from "./client";
import type { shop } from "./session";

declare module "catnap/react" {
  interface Register {
    definition: typeof shop; // types the hooks
  }
}

export function App() {
  const [theme, setTheme] = useSessionValue("theme");
  const [cart, setCart] = useSessionValue("cart");
  const [user] = useSessionValue("user");
  const [refused, submit] = useActionState(
    (_: unknown, form: FormData) => logIn(String(form.get("name")), String(form.get("password"))),
    undefined,
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
      <form action={submit}>
        <label>
          Name <input name="name" required />
        </label>
        <label>
          Password <input name="password" type="password" defaultValue="analytical engine" required />
        </label>
        <button type="submit">Log in</button>
        {refused && <p role="alert">{refused}</p>}
      </form>
      <form action={logOut}>
        <button type="submit">Log out</button>
      </form>
    </main>
  );
}
