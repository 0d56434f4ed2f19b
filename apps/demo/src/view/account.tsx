import { useSession, useSessionValue } from "catnap/react";
import { type FormEvent, useState } from "react";
import { api } from "../client.ts";

export function Account() {
  const [user] = useSessionValue("user");
  return (
    <section className="card" aria-labelledby="account-title">
      <h2 id="account-title">{user ? `Good evening, ${user.name}` : "Log in"}</h2>
      {user ? <LogOut /> : <LogIn />}
    </section>
  );
}

function LogIn() {
  const [trouble, setTrouble] = useState("");

  async function logIn(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get("name"));
    try {
      await api.login.mutate({ name });
    } catch {
      setTrouble("The shop cannot be reached just now. Try again in a while.");
    }
  }

  return (
    <form className="row" onSubmit={(event) => void logIn(event)}>
      <label className="hidden" htmlFor="name">
        Your name
      </label>
      <input id="name" name="name" required maxLength={40} autoComplete="given-name" placeholder="Any name will do" />
      <button type="submit">Log in</button>
      <p className="news" aria-live="polite">
        {trouble}
      </p>
    </form>
  );
}

function LogOut() {
  const session = useSession();

  function logOut() {
    // It wipes at once. That the server is away, or the page is left before it has answered, is made up for by itself.
    session.invalidate().catch(() => undefined);
  }

  return (
    <div className="row">
      <p className="quiet">Logging out wipes the session, here and in every tab.</p>
      <button type="button" onClick={logOut}>
        Log out
      </button>
    </div>
  );
}
