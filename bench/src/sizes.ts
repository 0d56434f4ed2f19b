/**
 * How much is measured: so much, or what the environment says. Small numbers show within seconds that a bench works; its
 * figures are then worth nothing.
 */
export const sized = (name: "SESSIONS" | "ROUNDS" | "SECONDS", usual: number): number =>
  Number(process.env[name] ?? usual);

/** The Node that runs the measured servers: the bench's own, or the program that `BENCH_NODE` names. */
export const serverNode = process.env.BENCH_NODE ?? process.execPath;
