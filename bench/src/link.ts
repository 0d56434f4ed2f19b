import { createTRPCClient, httpLink, type TRPCLink } from "@trpc/client";
import type { AnyTRPCRouter } from "@trpc/server";
import { createSessionClient, sessionLink } from "catnap/client";
import { type Figure, median } from "./figure.ts";
import { thousand } from "./sessions.ts";
import { sized } from "./sizes.ts";

const calls = 2_000;

/** A server that is there at once: what is left is what the client costs. */
function network() {
  const counted = { requests: 0 };
  const fetch = async () => {
    counted.requests++;
    return new Response('{"result":{"data":1}}', { headers: { "x-session-rev": "7 abc" } });
  };
  return { counted, fetch };
}

/** A client for procedures of any name. */
function clientOf(links: TRPCLink<AnyTRPCRouter>[]) {
  const client = createTRPCClient<AnyTRPCRouter>({ links });
  return client as unknown as { look: { mutate(): Promise<number> } };
}

/** What the link costs a mutation when nothing is dirty and nothing changed, against the same client without it. */
export async function besideUnlinked(): Promise<Figure[]> {
  const facts = { createdAgo: 1, accessedAgo: 0, transactions: 1, timeout: 3600, expiresIn: 3600 };
  const answer = { identifier: "abc", rev: 7, acked: 0, decided: {}, entries: {}, deleted: {}, notes: [], facts };
  const data = { ok: true, ...answer };
  const http = { url: "http://127.0.0.1/trpc", fetch: async () => Response.json({ result: { data } }) };
  const session = createSessionClient({ definition: thousand, http });
  await session.awake();
  const [bare, linked] = [network(), network()];
  const end = (fetch: () => Promise<Response>) => httpLink({ url: "http://127.0.0.1/trpc", fetch: fetch as never });
  const without = clientOf([end(bare.fetch)]);
  const with_ = clientOf([sessionLink(session), end(linked.fetch)]);
  const time = async ({ look }: typeof without) => {
    const before = performance.now();
    for (let n = 0; n < calls; n++) await look.mutate();
    return ((performance.now() - before) / calls) * 1_000;
  };
  const [ours, theirs]: [number[], number[]] = [[], []];
  // The first rounds warm up; then in turns, since the machine does other things, too.
  for (let round = -3; round < sized("ROUNDS", 40); round++) {
    const [own, other] = [await time(with_), await time(without)];
    if (round < 0) continue;
    ours.push(own);
    theirs.push(other);
  }
  session.close();
  const [mine, other] = [median(ours), median(theirs)];
  return [
    {
      what: "a mutation through sessionLink, nothing dirty, nothing changed",
      ours: `${mine.toFixed(1)} µs`,
      rival: `${other.toFixed(1)} µs without the link`,
      ratio: mine / other,
      target: { most: 1.1 },
    },
    {
      what: "requests of as many such mutations",
      ours: `${linked.counted.requests}`,
      rival: `${bare.counted.requests} without the link`,
      ratio: linked.counted.requests / bare.counted.requests,
      target: { most: 1 },
    },
  ];
}
