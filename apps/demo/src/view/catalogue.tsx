import { useSession } from "catnap/react";
import { memo } from "react";
import { change } from "../cart-lines.ts";
import { formatPrice, type Product, products } from "../catalogue.ts";
import { Art } from "./art.tsx";

/** Reads no session value, so no change of one renders it again. */
export const Catalogue = memo(function Catalogue() {
  return (
    <section id="goods" className="goods" aria-labelledby="goods-title" tabIndex={-1}>
      <h2 id="goods-title">The goods</h2>
      <ul>
        {products.map((product) => (
          <Tile key={product.sku} product={product} />
        ))}
      </ul>
    </section>
  );
});

function Tile({ product: { sku, name, price, about } }: { product: Product }) {
  const session = useSession();
  return (
    <li className="tile" data-sku={sku}>
      <Art sku={sku} />
      <h3>{name}</h3>
      <p>{about}</p>
      <div className="buy">
        <span className="price">{formatPrice(price)}</span>
        <button
          type="button"
          aria-label={`Add ${name} to the cart`}
          onClick={() => session.update("cart", (lines) => change(lines, sku, 1))}
        >
          Add
        </button>
      </div>
    </li>
  );
}
