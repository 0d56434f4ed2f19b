import { createSessionClient } from "catnap/client";

export const create = createSessionClient;
