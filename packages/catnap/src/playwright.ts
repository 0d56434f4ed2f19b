export {
  expect,
  type SessionAssertions,
  type SessionExpect,
  type SessionHandle,
  type SessionTestOptions,
  sessionTest,
} from "@catnap/testing/playwright";
