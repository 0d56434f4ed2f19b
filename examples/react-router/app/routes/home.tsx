import { useSessionValue } from "catnap/react";
import { Form, redirect } from "react-router";
import { session } from "../session-client";
import { sessions } from "../sessions.server";
import type { Route } from "./+types/home";

export const action = ({ request }: Route.ActionArgs) =>
  sessions.run(request, async (session) => {
    const form = await request.formData();
    if (form.has("logout")) await session.invalidate();
    else {
      const name = String(form.get("name"));
      session.login(name); // a new token, the same session
      session.setValue("user", { name });
    }
    throw redirect("/"); // commits, and brings the cookie
  });

/** The action sees what this tab has written, and then the tab shows what the action has changed. */
export const clientAction = ({ serverAction }: Route.ClientActionArgs) => session.around(() => serverAction());

export default function Home() {
  const [theme, setTheme] = useSessionValue("theme");
  const [cart, setCart] = useSessionValue("cart");
  const [user] = useSessionValue("user");
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
      <Form method="post">
        <label>
          Name <input name="name" required />
        </label>
        <button type="submit">Log in</button>
      </Form>
      <Form method="post">
        <button type="submit" name="logout">
          Log out
        </button>
      </Form>
    </main>
  );
}
