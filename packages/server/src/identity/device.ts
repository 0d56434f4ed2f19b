import { unreadable } from "../stores/unreadable.ts";

/** The entry that tells, in a list of somebody's sessions, which device each is on. Written at login. */
export const deviceKey = "~device";

/** In the order in which a user agent is to be asked: most of them claim to be several others as well. */
const browsers: readonly (readonly [RegExp, string])[] = [
  [/\bEdg(e|A|iOS)?\//, "Edge"],
  [/\b(OPR|Opera)\//, "Opera"],
  [/\bSamsungBrowser\//, "Samsung Internet"],
  [/\b(Firefox|FxiOS)\//, "Firefox"],
  [/\b(Chrome|Chromium|CriOS)\//, "Chrome"],
  [/\bVersion\/.* Safari\//, "Safari"],
];
const systems: readonly (readonly [RegExp, string])[] = [
  [/\biPhone\b/, "iPhone"],
  [/\biPad\b/, "iPad"],
  [/\bAndroid\b/, "Android"],
  [/\bWindows\b/, "Windows"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bMac OS X\b|\bMacintosh\b/, "macOS"],
  [/\bLinux\b/, "Linux"],
];

/**
 * "Firefox on Windows", for a person who looks for a session that is not theirs. Built of our own words only: neither the
 * user agent's version numbers, which would tell people apart, nor any text that the client chose.
 */
export function describeDevice(userAgent: string | null): string | null {
  if (userAgent === null) return null;
  const text = userAgent.slice(0, 512);
  const named = (known: typeof browsers) => known.find(([pattern]) => pattern.test(text))?.[1];
  const [browser, system] = [named(browsers), named(systems)];
  if (browser && system) return `${browser} on ${system}`;
  return browser ?? system ?? null;
}

/** The device that rests with a session; `null` where the client did not say, or nobody has logged in. Throws `STORE_UNUSABLE` for what cannot be read. */
export function deviceIn(identifier: string, encoded: string | undefined): string | null {
  if (encoded === undefined) return null;
  try {
    const device: unknown = JSON.parse(encoded);
    if (typeof device === "string") return device;
  } catch {
    // Told below, as for another kind of value.
  }
  throw unreadable(identifier, deviceKey);
}
