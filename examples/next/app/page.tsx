import { readSession } from "../sessions";
import { login, logout } from "./actions";
import { Choices } from "./choices";
import { SessionForm } from "./session-form";

export default async function Page() {
  const user = await readSession((session) => session.value("user", null));
  return (
    <main>
      <p data-testid="user">{user?.name ?? "nobody"}</p>
      <Choices />
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
