import { storeLaws } from "@catnap/testing";
import { afterAll, describe, test } from "vitest";
import { startPostgres } from "../../../test/servers/postgres.ts";
import { postgresStore } from "./postgres-store.ts";

const server = await startPostgres();
afterAll(() => server?.stop());

describe.skipIf(!server)("postgresStore keeps the law:", () => {
  const pool = server?.pool();
  let schemas = 0;
  for (const law of storeLaws) {
    test(law.name, async ({ skip }) => {
      const outcome = await law.check(async () => {
        if (!pool) throw new Error("skipped");
        const schema = `law_${++schemas}`;
        const store = postgresStore(pool, { schema });
        await store.migrate();
        return {
          store,
          reopen: async () => postgresStore(pool, { schema }),
          cleanup: async () => {
            await store.close();
            await pool.query(`DROP SCHEMA ${schema} CASCADE`);
          },
        };
      });
      if (outcome.kind === "skipped") skip(outcome.reason);
    });
  }
});
