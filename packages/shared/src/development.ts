/** Bundlers replace `process.env.NODE_ENV` in the text, so it is written out, and a browser without one has no `process`. */
declare const process: { env: { NODE_ENV?: string } };

/**
 * Whether this is no production. Where it guards code that production should not carry, write
 * `development && process.env.NODE_ENV !== "production"`: bundlers drop what stands behind that.
 */
export const development: boolean = /* @__PURE__ */ isDevelopment();

function isDevelopment(): boolean {
  try {
    return process.env.NODE_ENV !== "production";
  } catch {
    return false; // a browser without a bundler
  }
}
