import { useSession, useSessionValue } from "catnap/react";
import { useState } from "react";
import { change } from "../cart-lines.ts";
import { formatPrice, productOf, totalOf } from "../catalogue.ts";
import { api } from "../client.ts";
import type { Line } from "../session.ts";

export function Cart() {
  const [lines] = useSessionValue("cart");
  return (
    <section id="cart" className="card" aria-labelledby="cart-title" tabIndex={-1}>
      <h2 id="cart-title">Your cart</h2>
      {lines.length === 0 ? (
        <p className="quiet">Nothing yet. Take your time.</p>
      ) : (
        <ul className="lines">
          {lines.map((line) => (
            <CartLine key={line.sku} line={line} />
          ))}
        </ul>
      )}
      <Checkout lines={lines} />
    </section>
  );
}

function CartLine({ line }: { line: Line }) {
  const session = useSession();
  const product = productOf(line);
  const name = product?.name ?? line.sku;
  const add = (by: number) => session.update("cart", (lines) => change(lines, line.sku, by));
  return (
    <li data-sku={line.sku}>
      <span className="name">{name}</span>
      <span className="price">{formatPrice(totalOf([line]))}</span>
      <span className="stepper">
        <button type="button" aria-label={`One ${name} less`} onClick={() => add(-1)}>
          −
        </button>
        <output aria-label={`${name}: how many`}>{line.count}</output>
        <button type="button" aria-label={`One ${name} more`} onClick={() => add(1)}>
          +
        </button>
      </span>
    </li>
  );
}

function Checkout({ lines }: { lines: readonly Line[] }) {
  const [news, setNews] = useState("");

  async function checkOut() {
    try {
      const { order, total } = await api.checkout.mutate();
      setNews(`Thank you. Order ${order} over ${formatPrice(total)} is on its way.`);
    } catch {
      setNews("The shop cannot be reached just now. Your cart is safe; try again in a while.");
    }
  }

  return (
    <div className="checkout">
      <p className="total">
        <span>Total</span> <strong data-testid="total">{formatPrice(totalOf(lines))}</strong>
      </p>
      <button type="button" className="primary" disabled={lines.length === 0} onClick={() => void checkOut()}>
        Check out
      </button>
      <p className="news" aria-live="polite">
        {news}
      </p>
    </div>
  );
}
