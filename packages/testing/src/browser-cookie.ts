import { SessionError } from "@catnap/shared";
import type { BrowserContext, Cookie } from "@playwright/test";

/** What the browser sends to the origin of `baseURL`, as a `Cookie` header; cookies of every path are among them. */
export async function cookieHeader(context: BrowserContext, baseURL: string): Promise<string> {
  return (await sentTo(context, baseURL)).map(({ name, value }) => `${name}=${value}`).join("; ");
}

/**
 * Gives the browser the cookie of a `Set-Cookie` header, as if the origin of `baseURL` had answered with it, or takes it
 * back. Throws `INVALID_OPTION` when the browser would not send it there.
 */
export async function takeCookie(context: BrowserContext, baseURL: string, header: string): Promise<void> {
  const { origin, hostname } = new URL(baseURL);
  const { name, value, attributes } = parse(header);
  const domain = attributes.get("domain")?.replace(/^\.?/, ".") ?? hostname;
  const path = attributes.get("path") ?? "/";
  const maxAge = attributes.get("max-age");
  if (maxAge === "0") return context.clearCookies({ name, domain, path });
  const secure = attributes.has("secure");
  // Chromium keeps a page's own partition apart from that of its frames in other sites' pages, which Playwright takes by default.
  const partition = attributes.has("partitioned") && { partitionKey: origin, _crHasCrossSiteAncestor: false };
  await context.addCookies([
    {
      name,
      value,
      // By domain and path: given a `url`, Playwright makes a cookie for http:// an insecure one, which `__Host-` rules out.
      domain,
      path,
      secure,
      httpOnly: attributes.has("httponly"),
      sameSite: sameSites[attributes.get("samesite")?.toLowerCase() ?? "lax"] ?? "Lax",
      expires: maxAge === undefined ? -1 : Date.now() / 1000 + Number(maxAge),
      ...partition,
    },
  ]);
  const kept = await sentTo(context, baseURL);
  if (kept.some((cookie) => cookie.name === name && cookie.value === value)) return;
  const why = secure
    ? "it is Secure, and of plain http:// a browser trusts this machine alone. Use https://, or http://localhost"
    : `its Domain is ${domain}. Use a host of that domain, or leave cookie.domain out`;
  throw new SessionError(
    "INVALID_OPTION",
    `baseURL is ${origin}, to which the browser does not send the cookie "${name}": ${why}`,
  );
}

const sameSites: Readonly<Record<string, Cookie["sameSite"]>> = { strict: "Strict", lax: "Lax", none: "None" };

async function sentTo(context: BrowserContext, baseURL: string): Promise<Cookie[]> {
  const paths = new Set((await context.cookies()).map(({ path }) => path));
  // Playwright reads no URL at all as every URL.
  return paths.size === 0 ? [] : context.cookies([...paths].map((path) => new URL(path, baseURL).href));
}

function parse(header: string): { name: string; value: string; attributes: ReadonlyMap<string, string> } {
  const [[name, value] = ["", ""], ...attributes] = header.split(";").map((part): [string, string] => {
    const at = part.indexOf("=");
    return at < 0 ? [part.trim(), ""] : [part.slice(0, at).trim(), part.slice(at + 1).trim()];
  });
  return { name, value, attributes: new Map(attributes.map(([key, content]) => [key.toLowerCase(), content])) };
}
