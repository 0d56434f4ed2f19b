import { useSessionStatus } from "catnap/react";

const words = {
  asleep: "Asleep",
  dirty: "Not sent yet",
  syncing: "Sending",
  synced: "Synced",
  offline: "Offline",
  unconfirmed: "Away for long",
  expired: "Expired",
};

/** How far what you wrote has come: this tab's memory and disk, or all the way to the server. */
export function StatusBadge() {
  const { state, pending } = useSessionStatus();
  return (
    <span className="badge" data-state={state} data-testid="status">
      {words[state]}
      {pending > 0 && <span className="pending"> · {pending}</span>}
    </span>
  );
}
