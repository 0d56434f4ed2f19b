/**
 * How much is measured: so much, or what the environment says. Small numbers show within seconds that a bench works; its
 * figures are then worth nothing.
 */
export const sized = (name: "SESSIONS" | "ROUNDS" | "SECONDS", usual: number): number =>
  Number(process.env[name] ?? usual);
