import { useSession, useSessionValue } from "catnap/react";
import { Cat } from "./cat.tsx";

export function Welcome() {
  const session = useSession();
  const [visits] = useSessionValue("visits");
  const [purrs] = useSessionValue("purrs");
  return (
    <section className="welcome" aria-labelledby="welcome">
      <div>
        <h1 id="welcome">Everything for a good nap</h1>
        <p className="lead">
          Put something in the cart, start a note, turn off the light. Close the tab in the middle of it, pull the plug,
          come back tomorrow: it is all still here.
        </p>
        <p className="visits">
          Visits: <strong data-testid="visits">{visits}</strong>
        </p>
      </div>
      <button type="button" className="cat" onClick={() => session.update("purrs", (count) => count + 1)}>
        <Cat />
        <span>
          Pet the cat <span className="count">{purrs}</span>
        </span>
      </button>
    </section>
  );
}
