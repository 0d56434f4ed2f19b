import type { Exchange } from "../exchange/exchange.ts";
import {
  type CookieScope,
  type CookieSettings,
  contentsOf,
  expireCookie,
  nameIn,
  writeCookie,
} from "../identity/cookie.ts";
import { formatToken, parseToken, type Token } from "../identity/tokens.ts";

/** What a request's `Cookie` header has for the session. */
export interface Presented {
  /** A cookie came, whatever is in it. */
  readonly came: boolean;
  /** The tokens that may be good: one, but for more cookies of one name where `former` explains them. */
  readonly tokens: readonly Token[];
  /** They come of a cookie of a former name. */
  readonly isFormer: boolean;
  /** Several cookies of one name came, with different contents. */
  readonly isRepeated: boolean;
  /** Besides today's cookie there came one of a former name. */
  readonly leftOver: boolean;
}

/** The session's cookie in one request and its response, under today's scope and under those that it had before. */
export class RequestCookie {
  readonly #settings: CookieSettings;
  readonly #exchange: Exchange;

  constructor(settings: CookieSettings, exchange: Exchange) {
    this.#settings = settings;
    this.#exchange = exchange;
  }

  /**
   * Finds the tokens of a request: those under today's name, and of a former name only when there are none. A browser sends
   * two cookies of one name when another host of the site planted one, and nothing tells which is which: then none is taken.
   * Only where `former` has scopes of that name there may be one more for each of them, and the token that opens a session
   * is the one.
   */
  read(): Presented {
    const { host } = this.#exchange;
    const today = nameIn(this.#settings, host);
    const former = this.#settings.former.map((scope) => nameIn(scope, host));
    const others = former.filter((name) => name !== today && this.#contents(name).length > 0);
    const isFormer = others.length > 0 && this.#contents(today).length === 0;
    const name = isFormer ? (others[0] as string) : today;
    const contents = this.#contents(name);
    const allowed = this.#scopes(name).length;
    return {
      came: contents.length > 0,
      tokens: contents.length > allowed ? [] : contents.map(parseToken).filter((token) => token !== null),
      isFormer,
      isRepeated: contents.length > 1,
      leftOver: !isFormer && others.length > 0,
    };
  }

  /** Hands a token out under today's scope, for `seconds` or until the browser is closed; `false` when the response takes no cookie. */
  hand(token: Token, seconds: number | null): boolean {
    this.expireFormer();
    const { host } = this.#exchange;
    return this.#exchange.setCookie(writeCookie(this.#settings, host, formatToken(token), seconds));
  }

  /** Takes the cookie back. */
  takeBack(): void {
    this.expireFormer();
    this.#exchange.setCookie(expireCookie(this.#settings, this.#exchange.host));
  }

  /**
   * Takes back what may have come of a former scope. Comes before today's cookie: a jar that keeps one cookie for each name
   * keeps the latest.
   */
  expireFormer(): void {
    const { host } = this.#exchange;
    for (const scope of this.#settings.former) {
      if (this.#contents(nameIn(scope, host)).length > 0) this.#exchange.setCookie(expireCookie(scope, host));
    }
  }

  #contents(name: string): readonly string[] {
    return contentsOf(this.#exchange.header("cookie"), name);
  }

  #scopes(name: string): readonly CookieScope[] {
    const { former } = this.#settings;
    return [this.#settings, ...former].filter((scope) => nameIn(scope, this.#exchange.host) === name);
  }
}
