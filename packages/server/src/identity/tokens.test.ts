import { expect, test } from "vitest";
import { mintSecret, Tokens } from "./tokens.ts";

const apps = ["catnap", "shop", "blog"].map((name) => new Tokens(name));

test("each app knows its own identifiers, minted or made of a nonce, and no other's", () => {
  for (const app of apps) {
    for (const identifier of [
      app.mintIdentifier(),
      app.identifierOf("nonce"),
      app.tombstoneOf(app.identifierOf("n")),
    ]) {
      expect(apps.filter((other) => other.owns(identifier))).toEqual([app]);
    }
  }
});

test("one secret has another hash in each app, and another as a ticket", () => {
  const secret = mintSecret();
  const hashes = apps.flatMap((app) => [app.hash(secret), app.hashTicket(secret)]);
  expect(new Set(hashes).size).toBe(hashes.length);
});

test("one nonce makes another session in each app, and what made an identifier is seen at it", () => {
  expect(new Set(apps.map((app) => app.identifierOf("nonce"))).size).toBe(apps.length);
  for (const app of apps) {
    expect(app.isOfNonce(app.identifierOf("nonce"))).toBe(true);
    expect(app.isOfNonce(app.mintIdentifier())).toBe(false);
  }
});
