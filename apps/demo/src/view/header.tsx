import { useSessionValue } from "catnap/react";
import { countOf } from "../cart-lines.ts";
import { StatusBadge } from "./status-badge.tsx";
import { ThemeSwitch } from "./theme-switch.tsx";

export function Header() {
  const [lines] = useSessionValue("cart");
  const count = countOf(lines);
  return (
    <header className="bar">
      <a className="brand" href="/">
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <circle cx="16" cy="16" r="16" className="brand-night" />
          <path d="M20.500 6.500a10.500 10.500 0 1 0 5.500 14A8.500 8.500 0 0 1 20.500 6.500z" className="brand-moon" />
        </svg>
        Forty Winks
      </a>
      <StatusBadge />
      <a className="to-cart" href="#cart">
        Cart <span className="count">{count}</span>
      </a>
      <ThemeSwitch />
    </header>
  );
}
