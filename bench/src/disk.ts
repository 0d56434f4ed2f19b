/** Transactions that write and are not over. */
const underWay = new Set<IDBTransaction>();
let begun = 0;
let endedAt = 0;

const begin = IDBDatabase.prototype.transaction;
IDBDatabase.prototype.transaction = function (...args) {
  begun++;
  const transaction = begin.apply(this, args);
  if (transaction.mode === "readonly") return transaction;
  underWay.add(transaction);
  for (const event of ["complete", "abort"]) {
    transaction.addEventListener(event, () => {
      underWay.delete(transaction);
      endedAt = performance.now();
    });
  }
  return transaction;
};

/** How many transactions the page has begun. */
export const transactionsBegun = (): number => begun;

/** Libraries put off what they write, by a second at the most. */
const quietMs = 1_500;

/** Waits until nothing was written for longer than libraries put it off. Gives the time at which the last transaction ended. */
export async function diskIsQuiet(): Promise<number> {
  const since = performance.now();
  while (underWay.size > 0 || performance.now() - Math.max(since, endedAt) < quietMs) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return endedAt;
}
