import { useSessionValue } from "catnap/react";
import { useLayoutEffect } from "react";

export function ThemeSwitch() {
  const [theme, setTheme] = useSessionValue("theme");
  // The server has set it in the page; from then on it follows the session, whichever tab changes it.
  useLayoutEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  const isDark = theme === "dark";
  return (
    <button
      type="button"
      role="switch"
      aria-checked={isDark}
      className="theme-switch"
      onClick={() => setTheme(isDark ? "light" : "dark")}
    >
      <span className="hidden">Dark theme</span>
      <svg viewBox="0 0 24 24" aria-hidden="true">
        <circle cx="12" cy="12" r="4.500" className="sun" />
        <path
          className="rays"
          d="M12 2v3M12 19v3M2 12h3M19 12h3M4.900 4.900l2.100 2.100M17 17l2.100 2.100M4.900 19.100l2.100-2.100M17 7l2.100-2.100"
        />
        <path className="moon" d="M15 4a8.500 8.500 0 1 0 5.600 11.400A7 7 0 0 1 15 4z" />
      </svg>
    </button>
  );
}
