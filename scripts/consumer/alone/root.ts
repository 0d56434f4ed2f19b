import { counter, defineSession, merge, SessionError, value } from "catnap";

export const empty = defineSession({});
export const count = counter();
export const merges = merge;
export const declare = value;
export const dataOf = (error: unknown) => SessionError.from(error)?.toJSON();
