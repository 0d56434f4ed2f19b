// What the app uses of the runtimes that are not Node.
declare const Bun: {
  serve(options: { hostname: string; port: number; idleTimeout: number; fetch(request: Request): Promise<Response> }): {
    readonly url: URL;
    stop(): Promise<void>;
  };
};
declare const Deno: {
  serve(
    options: { hostname: string; port: number; onListen(address: { port: number }): void },
    fetch: (request: Request) => Promise<Response>,
  ): { shutdown(): Promise<void> };
};
