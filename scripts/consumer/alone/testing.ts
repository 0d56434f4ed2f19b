import { fakeClock, faultStore, storeLaws } from "catnap/testing";

export const clock = fakeClock();
export const faulty = faultStore;
export const laws = storeLaws;
