/** Does its work while no other tab of the browser does that; where the browser has no locks, or denies them, at once. */
export async function inTurn(
  locks: Pick<LockManager, "request"> | undefined,
  name: string,
  work: () => Promise<unknown>,
): Promise<void> {
  let begun: Promise<unknown> | undefined;
  const begin = () => {
    begun ??= work();
    return begun;
  };
  // A frame of another site may be denied locks. What the work itself rejects with stays that.
  await locks?.request(`catnap:${name}`, begin).catch(begin);
  await begin();
}
