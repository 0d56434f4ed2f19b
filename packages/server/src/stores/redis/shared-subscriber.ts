import type { RedisSubscriber } from "./driver.ts";

/**
 * A subscriber that shares the app's own client, and so takes back one by one what it has subscribed to. A channel's steps
 * are taken one after the other: a subscription that is still on its way is not overtaken by its end.
 */
export function sharing(
  subscribe: (channel: string) => Promise<unknown>,
  unsubscribe: (channel: string) => Promise<unknown>,
): RedisSubscriber {
  const held = new Set<string>();
  const steps = new Map<string, Promise<unknown>>();
  const take = (channel: string, taken: Promise<unknown>) => {
    steps.set(channel, taken);
    const done = () => steps.get(channel) === taken && steps.delete(channel);
    taken.then(done, done);
    return taken;
  };
  const next = (channel: string, step: (channel: string) => Promise<unknown>) => {
    const last = steps.get(channel)?.catch(() => undefined) ?? Promise.resolve();
    return take(
      channel,
      last.then(() => step(channel)),
    );
  };
  const leave = (channel: string) => {
    held.delete(channel);
    return next(channel, unsubscribe);
  };
  return {
    subscribe(channel, anew = false) {
      held.add(channel);
      // Anew, it does not wait for steps that a dead connection will never answer.
      return anew ? take(channel, subscribe(channel)) : next(channel, subscribe);
    },
    unsubscribe: leave,
    close: () => Promise.allSettled([...held].map(leave)),
  };
}
