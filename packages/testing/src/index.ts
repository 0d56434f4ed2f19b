export {
  type CheckDefinitionOptions,
  checkDefinition,
  type DefinitionCheck,
  type DefinitionLoss,
} from "./check-definition.ts";
export { type FakeClock, fakeClock } from "./fake-clock.ts";
export { type Fault, faultStore, type StoreCall } from "./fault-store.ts";
export type { LawOutcome, MakeStore, StoreLaw, StoreUnderTest } from "./laws/law.ts";
export { storeLaws } from "./store-laws.ts";
