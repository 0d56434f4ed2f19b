import { commitLaws } from "./laws/commit-laws.ts";
import { expectationLaws } from "./laws/expectation-laws.ts";
import { findLaws } from "./laws/find-laws.ts";
import type { StoreLaw } from "./laws/law.ts";
import { leaseLaws } from "./laws/lease-laws.ts";
import { lifeLaws } from "./laws/life-laws.ts";
import { raceLaws } from "./laws/race-laws.ts";
import { recallLaws } from "./laws/recall-laws.ts";

/**
 * The store contract, sentence by sentence, for any test runner: call `check` of each with a function that makes an
 * empty store. It rejects when the store breaks the law, and answers `skipped` with a reason where a store offers no
 * `watch`, no `lease`, no `recall` or no second handle. What it costs to keep a law is not tested here: a law cannot see
 * the bytes that move.
 */
export const storeLaws: readonly StoreLaw[] = [
  ...commitLaws,
  ...expectationLaws,
  ...lifeLaws,
  ...findLaws,
  ...raceLaws,
  ...leaseLaws,
  ...recallLaws,
];
