export { expect, type SessionHandle, type SessionTestOptions, sessionTest } from "@catnap/testing/playwright";
