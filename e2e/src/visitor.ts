import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { BrowserContext, Page } from "@playwright/test";
import { freePort } from "./free-port.ts";

/** How a page ends. */
export type Departure = "navigation" | "reload" | "close";

/** A browser with one page, as far as tests of a page's end need it; there is one for Playwright and one for WebDriver. */
export interface Visitor {
  open(url: string): Promise<void>;
  /** Runs the body of a function in the page; what it returns is JSON. */
  run(script: string): Promise<unknown>;
  /** Runs the script, and the page ends in the same task; closing is a command of its own, given at once. */
  leave(how: Departure, script: string): Promise<void>;
}

const endings: Record<Departure, string> = {
  navigation: 'location.href = "/away";',
  reload: "location.reload();",
  close: "",
};

/** A visitor with a browser that Playwright drives. */
export class PlaywrightVisitor implements Visitor {
  readonly #context: BrowserContext;
  #page: Page | undefined;

  constructor(context: BrowserContext) {
    this.#context = context;
  }

  async open(url: string): Promise<void> {
    this.#page ??= await this.#context.newPage();
    await this.#page.goto(url);
  }

  run(script: string): Promise<unknown> {
    return (this.#page as Page).evaluate(`(() => { ${script} })()`);
  }

  async leave(how: Departure, script: string): Promise<void> {
    const page = this.#page as Page;
    if (how === "close") {
      await this.run(script);
      await page.close();
      this.#page = undefined;
      return;
    }
    const arrived = page.waitForEvent("load");
    // The page may be gone before it can say that the script has run.
    await this.run(script + endings[how]).catch(() => undefined);
    await arrived;
  }
}

/** A visitor with WebKitGTK, whose driver speaks WebDriver, on a screen that nobody sees. */
export class WebKitVisitor implements Visitor {
  readonly #processes: ChildProcess[];
  readonly #driver: string;
  #session = "";

  private constructor(processes: ChildProcess[], driver: string) {
    this.#processes = processes;
    this.#driver = driver;
  }

  static async start(browser: string): Promise<WebKitVisitor> {
    // The screen writes its number to the fourth descriptor once it is there.
    const screen = spawn("Xvfb", ["-displayfd", "3", "-nolisten", "tcp"], {
      stdio: ["ignore", "ignore", "ignore", "pipe"],
    });
    const [display] = (await once(screen.stdio[3] as NodeJS.ReadableStream, "data")) as [Buffer];
    const port = await freePort();
    const env = { ...process.env, DISPLAY: `:${String(display).trim()}` };
    const driver = spawn("WebKitWebDriver", [`--port=${port}`, "--host=127.0.0.1"], { stdio: "ignore", env });
    const visitor = new WebKitVisitor([driver, screen], `http://127.0.0.1:${port}`);
    const options = { binary: browser, args: ["--automation"] };
    const capabilities = { alwaysMatch: { "webkitgtk:browserOptions": options } };
    for (let tries = 0; visitor.#session === ""; tries++) {
      try {
        const { sessionId } = (await visitor.#call("POST", "/session", { capabilities })) as { sessionId: string };
        visitor.#session = `/session/${sessionId}`;
      } catch (cause) {
        // It does not tell when it listens.
        if (tries > 100) throw new Error("WebKitWebDriver gave no session", { cause });
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    return visitor;
  }

  async open(url: string): Promise<void> {
    await this.#call("POST", `${this.#session}/url`, { url });
  }

  run(script: string): Promise<unknown> {
    return this.#call("POST", `${this.#session}/execute/sync`, { script, args: [] });
  }

  async leave(how: Departure, script: string): Promise<void> {
    const ran = this.run(script + endings[how]);
    if (how !== "close") return void (await ran.catch(() => undefined));
    await ran;
    // The browser ends with its last window, and what it keeps ends with it.
    const old = await this.#call("GET", `${this.#session}/window`);
    const { handle } = (await this.#call("POST", `${this.#session}/window/new`, { type: "tab" })) as { handle: string };
    await this.#call("POST", `${this.#session}/window`, { handle: old });
    await this.#call("DELETE", `${this.#session}/window`);
    await this.#call("POST", `${this.#session}/window`, { handle });
  }

  async close(): Promise<void> {
    await this.#call("DELETE", this.#session).catch(() => undefined);
    for (const child of this.#processes) {
      child.kill();
      await once(child, "exit");
    }
  }

  async #call(method: string, path: string, body?: object): Promise<unknown> {
    const init = body ? { method, body: JSON.stringify(body) } : { method };
    const response = await fetch(this.#driver + path, init);
    const { value } = (await response.json()) as { value: { error?: string; message?: string } | null };
    if (!response.ok) throw new Error(`${method} ${path}: ${value?.error}: ${value?.message}`);
    return value;
  }
}
