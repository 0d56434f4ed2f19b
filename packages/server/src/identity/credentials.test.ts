import { expect, test } from "vitest";
import {
  type Credentials,
  claimSecret,
  credentialsKey,
  firstCredentials,
  formatCredentials,
  hashToken,
  judge,
  mintSecret,
  readCredentials,
  redeemed,
  rotated,
  withTicket,
} from "./credentials.ts";

const now = 1_700_000_000_000;

/** As a store gives them back. */
function rested(credentials: Credentials): Credentials {
  const entry = { value: formatCredentials(credentials), rev: 1, writer: "server", seq: 0 };
  return readCredentials(new Map([[credentialsKey, entry]]));
}

test("a claim gives the first token to the nonce that it was made for, within its minute, and to no other", () => {
  const secret = mintSecret();
  const credentials = rested(firstCredentials(secret, now, "its own nonce"));
  expect(claimSecret(credentials, "its own nonce", now + 59_999)).toBe(secret);
  expect(claimSecret(credentials, "its own nonce", now + 60_000)).toBeNull();
  expect(claimSecret(credentials, "another nonce", now)).toBeNull();
  const renewed = rested(rotated(credentials, hashToken(secret), mintSecret(), now, now + 60_000));
  expect(claimSecret(renewed, "its own nonce", now)).toBeNull();
});

test("credentials rest as they are: tokens in use, rotated ones, tickets and the claim", () => {
  const [first, second, ticket] = [mintSecret(), mintSecret(), mintSecret()];
  const begun = firstCredentials(first, now, "nonce");
  expect(rested(begun)).toEqual(begun);
  const handed = withTicket(begun, ticket, now);
  expect(rested(handed)).toEqual(handed);
  const both = rested(redeemed(handed, ticket, second, now + 1) ?? begun);
  expect(judge(both, hashToken(second), now)).toEqual({ kind: "current", issuedAt: now + 1 });
  const after = rested(rotated(both, hashToken(first), mintSecret(), now + 2, now + 60_000));
  expect(judge(after, hashToken(first), now + 3)).toEqual({ kind: "grace" });
  expect(judge(after, hashToken(first), now + 60_000)).toEqual({ kind: "reused" });
  expect(judge(after, hashToken(ticket), now)).toEqual({ kind: "unknown" });
});
