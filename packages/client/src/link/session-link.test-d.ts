import type { Session } from "@catnap/shared";
import { createTRPCClient, httpBatchLink, httpLink, splitLink } from "@trpc/client";
import { expectTypeOf } from "vitest";
import type { createWorld, Shop, Tab } from "../../test/world.ts";
import { sessionLink } from "../index.ts";

type AppRouter = ReturnType<typeof createWorld>["router"];
declare const session: Tab["session"];
declare const onServer: Session<Shop>;
const http = { url: "/trpc", transformer: {} as never };

const api = createTRPCClient<AppRouter>({ links: [sessionLink(session), httpBatchLink(http)] });
expectTypeOf(await api.note.mutate()).toEqualTypeOf<string | null>();

createTRPCClient<AppRouter>({
  links: [
    splitLink({
      condition: ({ path }) => path === "login",
      true: [sessionLink(session), httpLink(http)],
      false: [sessionLink(() => session), httpBatchLink(http)],
    }),
  ],
});
createTRPCClient<AppRouter>({ links: [sessionLink(() => undefined), httpBatchLink(http)] });

// @ts-expect-error the session is made first, or given by a function
sessionLink();
// @ts-expect-error a session of the server is none of a browser
sessionLink(onServer);
// @ts-expect-error a session's definition is not the session
sessionLink({ definition: session });
