export {
  type FakeClock,
  type Fault,
  fakeClock,
  faultStore,
  type LawOutcome,
  type MakeStore,
  type StoreCall,
  type StoreLaw,
  type StoreUnderTest,
  storeLaws,
} from "@catnap/testing";
