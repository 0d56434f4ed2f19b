import { login, logout } from "./actions";
import { SessionForm } from "./session-form";
import { Shop } from "./shop";

export default function Page() {
  return (
    <main>
      <Shop />
      <SessionForm action={login}>
        <label>
          Name <input name="name" required />
        </label>
        <button type="submit">Log in</button>
      </SessionForm>
      <SessionForm action={logout}>
        <button type="submit">Log out</button>
      </SessionForm>
    </main>
  );
}
