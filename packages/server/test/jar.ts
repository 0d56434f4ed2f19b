/** A cookie as a browser keeps it. */
interface Kept {
  readonly name: string;
  readonly value: string;
  readonly domain: string;
  readonly hostOnly: boolean;
  readonly path: string;
  readonly secure: boolean;
  readonly partitioned: boolean;
  readonly lasts: boolean;
}

/** A browser's cookie jar by RFC 6265bis, as far as scopes go: host, domain, path, prefixes, partitions, and the order of sending; ports count for nothing. */
export class Jar {
  #kept: Kept[] = [];

  /** Takes a `Set-Cookie` header of an answer of `url`; says whether a browser would. */
  take(url: string, header: string): boolean {
    const { hostname, protocol } = new URL(url);
    const [pair = "", ...parts] = header.split("; ");
    const attributes = new Map(parts.map((part) => [part.split("=", 1)[0], part.slice(part.indexOf("=") + 1)]));
    const at = pair.indexOf("=");
    const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
    const given = attributes.get("Domain")?.replace(/^\./, "").toLowerCase();
    const domain = given ?? hostname;
    const [path, secure] = [attributes.get("Path") ?? "/", attributes.has("Secure")];
    const partitioned = attributes.has("Partitioned");
    if (!within(hostname, domain)) return false;
    if (secure && protocol !== "https:" && hostname !== "localhost") return false;
    if ((partitioned || attributes.get("SameSite") === "None") && !secure) return false;
    if (name.startsWith("__Host-") && (!secure || given !== undefined || path !== "/")) return false;
    const maxAge = attributes.get("Max-Age");
    const hostOnly = given === undefined;
    const cookie = { name, value, domain, hostOnly, path, secure, partitioned, lasts: maxAge !== undefined };
    const i = this.#kept.findIndex((each) => keyOf(each) === keyOf(cookie));
    if (maxAge === "0") this.#kept = this.#kept.filter((_, j) => j !== i);
    else if (i < 0) this.#kept.push(cookie);
    else this.#kept[i] = cookie;
    return true;
  }

  /** The `Cookie` header of a request to `url`; longer paths first, then older cookies. */
  header(url: string): string {
    const { hostname, pathname, protocol } = new URL(url);
    return this.#kept
      .filter(({ domain, hostOnly }) => (hostOnly ? hostname === domain : within(hostname, domain)))
      .filter(({ path }) => pathname === path || pathname.startsWith(path.endsWith("/") ? path : `${path}/`))
      .filter(({ secure }) => !secure || protocol === "https:" || hostname === "localhost")
      .sort((a, b) => b.path.length - a.path.length)
      .map(({ name, value }) => `${name}=${value}`)
      .join("; ");
  }

  /** Forgets what goes when the browser is closed. */
  close(): void {
    this.#kept = this.#kept.filter(({ lasts }) => lasts);
  }

  /** Name, domain and path of each cookie, and whether it is partitioned. */
  get scopes(): string[] {
    return this.#kept.map(
      ({ name, domain, hostOnly, path, partitioned }) =>
        `${name} ${hostOnly ? "" : "."}${domain} ${path}${partitioned ? " partitioned" : ""}`,
    );
  }
}

const within = (host: string, domain: string) => host === domain || host.endsWith(`.${domain}`);
const keyOf = ({ name, domain, hostOnly, path, partitioned }: Kept) =>
  [name, domain, hostOnly, path, partitioned].join(" ");
