import { useSessionValue } from "catnap/react";

export function Note() {
  const [note, setNote] = useSessionValue("note");
  return (
    <section className="card">
      <h2>
        <label htmlFor="note">A note for the parcel</label>
      </h2>
      <textarea
        id="note"
        rows={3}
        maxLength={500}
        placeholder="Ring twice, then let me sleep."
        value={note}
        onChange={(event) => setNote(event.target.value)}
      />
    </section>
  );
}
