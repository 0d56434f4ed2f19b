import { useSession, useSessionStatus, useSessionValue } from "catnap/react";
import { useEffect, useState } from "react";
import { api } from "../client.ts";

type Held = { values: object; identifier: string; subject: string | null; transactions: number };

/** What the server holds. Another one for each visitor, so that what was held for one is gone with them. */
export function Ledger() {
  const [user] = useSessionValue("user");
  return <LedgerOf key={user?.id} />;
}

/** Asks anew whenever this tab has nothing left to send, or has heard news. */
function LedgerOf() {
  const session = useSession();
  const { state } = useSessionStatus();
  const [held, setHeld] = useState<Held | null>(null);

  useEffect(() => {
    if (state !== "synced") return;
    let latest = 0;
    const ask = async () => {
      const turn = ++latest;
      // No session yet, or no way to it: then there is nothing to show.
      const answer = await fetchHeld().catch(() => null);
      if (turn === latest) setHeld(answer);
    };
    void ask();
    const unsubscribe = session.subscribe(null, () => void ask());
    return () => {
      latest = -1;
      unsubscribe();
    };
  }, [session, state]);

  return (
    <section className="card ledger" aria-labelledby="ledger-title">
      <h2 id="ledger-title">Your session, says the server</h2>
      {held ? <Facts held={held} /> : <p className="quiet">Nothing is held for you.</p>}
    </section>
  );
}

function Facts({ held: { values, identifier, subject, transactions } }: { held: Held }) {
  return (
    <>
      <dl>
        <dt>Identifier</dt>
        <dd data-testid="identifier">{identifier}</dd>
        <dt>Subject</dt>
        <dd>{subject ?? "nobody yet"}</dd>
        <dt>Transactions</dt>
        <dd>{transactions}</dd>
      </dl>
      <dl className="values" data-testid="values">
        {Object.entries(values).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd data-key={name}>{JSON.stringify(value)}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}

async function fetchHeld(): Promise<Held> {
  const [values, info] = await Promise.all([api.session.values.query(), api.session.info.query()]);
  const { identifier, subject, numTransactions: transactions } = info;
  return { values, identifier, subject, transactions };
}
