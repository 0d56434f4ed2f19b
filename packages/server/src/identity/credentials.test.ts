import { describe, expect, test } from "vitest";
import {
  type Credentials,
  claimedSecret,
  confirmed,
  firstCredentials,
  redeemed,
  succeeded,
  withTickets,
} from "./credentials.ts";
import { credentialsKey, formatCredentials, readCredentials } from "./credentials-text.ts";
import { judge, mayLogIn, mayRotate } from "./standing.ts";
import { mintSecret, Tokens } from "./tokens.ts";

const now = 1_700_000_000_000;
const grace = 60_000;
const tokens = new Tokens("catnap");
const hashes = (count: number) => Array.from({ length: count }, () => tokens.hash(mintSecret()));

/** As a store gives them back. */
function rested(credentials: Credentials): Credentials {
  const entry = { value: formatCredentials(credentials), rev: 1, writer: "server", seq: 0 };
  return readCredentials({ identifier: "i", entries: new Map([[credentialsKey, entry]]) });
}

/** Gives a token its successor, as an age does it. */
function renewed(credentials: Credentials, hash: string, next: string, at: number, options = {}): Credentials {
  return rested(succeeded(credentials, { hash, next, now: at, alone: false, login: false, atOnce: false, ...options }));
}

test("a claim gives the first secret to the nonce that it was made for, within its minute, and to no other", () => {
  const secret = mintSecret();
  const credentials = rested(firstCredentials(tokens.hash(secret), now, { secret, nonce: "its own nonce" }));
  expect(claimedSecret(credentials, "its own nonce", now + 59_999)).toBe(secret);
  expect(claimedSecret(credentials, "its own nonce", now + 60_000)).toBeNull();
  expect(claimedSecret(credentials, "another nonce", now)).not.toBe(secret);
  const [next = ""] = hashes(1);
  expect(claimedSecret(renewed(credentials, tokens.hash(secret), next, now), "its own nonce", now)).toBeNull();
});

describe("a token that was rotated", () => {
  const [first = "", second = "", third = ""] = hashes(3);
  const begun = firstCredentials(first, now);
  const rotated = renewed(begun, first, second, now + 1_000);

  test("is good until its successor was used, and a grace longer", () => {
    expect(judge(rotated, first, now + 9e9)).toEqual({ kind: "superseded", issuedAt: now, since: now + 1_000 });
    expect(judge(rotated, second, now + 2_000)).toEqual({ kind: "current", issuedAt: now + 1_000, confirms: true });
    const used = rested(confirmed(rotated, second, now + 2_000 + grace));
    expect(judge(used, first, now + 2_000 + grace - 1)).toEqual({ kind: "grace" });
    expect(judge(used, first, now + 2_000 + grace)).toEqual({ kind: "reused" });
    expect(judge(used, second, now)).toEqual({ kind: "current", issuedAt: now + 1_000, confirms: false });
  });

  test("may get another successor once the grace has passed and nobody has used the first, which retires with it", () => {
    const standing = judge(rotated, first, now);
    expect(mayRotate(standing, now + 1_000 + grace - 1, grace, null)).toBe(false);
    expect(mayRotate(standing, now + 1_000 + grace, grace, null)).toBe(true);
    const again = renewed(rotated, first, third, now + 90_000);
    for (const old of [first, second]) expect(judge(again, old, now).kind).toBe("superseded");
    const used = rested(confirmed(again, third, now + 100_000 + grace));
    expect([first, second].map((old) => judge(used, old, now).kind)).toEqual(["grace", "grace"]);
  });

  test("of before a login logs in again when the answer was lost, but inherits nothing of that login", () => {
    const standing = judge(renewed(begun, first, second, now + 1_000, { login: true }), first, now);
    const later = now + 1_000 + grace;
    expect(mayLogIn(standing, later, grace)).toBe(true);
    expect(mayRotate(standing, later, grace, now)).toBe(false);
  });

  test("ends with the rotation itself where that is asked for", () => {
    expect(judge(renewed(begun, first, second, now, { atOnce: true }), first, now).kind).toBe("reused");
  });
});

test("a rotation that the app asks for ends every other token and ticket, one by age leaves them", () => {
  const [owner = "", ticket = "", handed = "", next = "", unused = ""] = hashes(5);
  const shared = redeemed(withTickets(firstCredentials(owner, now), [ticket], now), ticket, handed, now);
  const credentials = rested(withTickets(shared ?? firstCredentials(owner, now), [unused], now));
  const byAge = renewed(credentials, owner, next, now + 1);
  expect([handed, next].map((hash) => judge(byAge, hash, now).kind)).toEqual(["current", "current"]);
  expect(redeemed(byAge, unused, hashes(1)[0] ?? "", now)).not.toBeNull();
  const alone = renewed(credentials, owner, next, now + 1, { alone: true });
  expect(judge(alone, handed, now).kind).toBe("unknown");
  expect(alone.tickets).toEqual([]);
});

test("a session is open in so many places: the oldest that a ticket was handed to ends, never the one that hands out", () => {
  const [owner = ""] = hashes(1);
  let credentials = firstCredentials(owner, now);
  const places = hashes(20);
  for (const [i, place] of places.entries()) {
    const [ticket = ""] = hashes(1);
    credentials = rested(redeemed(withTickets(credentials, [ticket], now + i), ticket, place, now + i) ?? credentials);
  }
  expect(judge(credentials, owner, now).kind).toBe("current");
  expect(places.filter((place) => judge(credentials, place, now).kind === "current")).toEqual(places.slice(-8));
});

test("credentials rest as they are: tokens in use, rotated ones, tickets and the claim", () => {
  const secret = mintSecret();
  const [second = "", ticket = "", next = ""] = hashes(3);
  const begun = firstCredentials(tokens.hash(secret), now, { secret, nonce: "nonce" });
  const handed = withTickets(begun, [ticket], now);
  const both = redeemed(handed, ticket, second, now + 1) ?? begun;
  const twice = succeeded(both, { hash: second, next, now: now + 2, alone: false, login: false, atOnce: false });
  const used = confirmed(twice, next, now + 3);
  for (const each of [begun, handed, both, twice, used]) expect(rested(each)).toEqual(each);
});

test.each([
  "",
  "x",
  "c",
  `c${"a".repeat(43)}`,
  `c${"a".repeat(42)}1`,
  `z${"a".repeat(43)}1`,
  `c${"a".repeat(43)}1  `,
  "{}",
])("credentials that cannot be read are the store's fault, and say of which session: %j", (value) => {
  const entries = new Map([[credentialsKey, { value, rev: 1, writer: "server", seq: 0 }]]);
  expect(() => readCredentials({ identifier: "session-1", entries })).toThrow(
    expect.objectContaining({ code: "STORE_UNUSABLE", message: expect.stringContaining("session-1") }),
  );
});
