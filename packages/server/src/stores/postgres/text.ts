// Text that a PostgreSQL database cannot hold as it is: NUL, which it refuses, and lone surrogates, which become U+FFFD on
// their way. A mark stands before a code for each of them, and before a code for itself. The mark and the codes of NUL and
// of the mark are the lowest characters that there are, so that texts keep their order.

const mark = "\u0001";
const codeOfNul = "\u0002";
const codeOfMark = "\u0003";
/** A lone surrogate's code is its number in hex. */
const hexDigits = 4;

/** Separators: an armoured text contains neither of them. */
export const afterField: string = `${mark}\u0004`;
export const afterEntry: string = `${mark}\u0005`;

/** Any text as the database keeps it. */
export function armour(text: string): string {
  if (!text.includes(mark) && !text.includes("\0") && isWellFormed(text)) return text;
  return Array.from(text, encode).join("");
}

/** Whether a text holds no lone surrogate. */
function isWellFormed(text: string): boolean {
  // Node has had the method since 20, and ES2023 lacks it. A pattern would take twenty times as long.
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}

function encode(char: string): string {
  if (char === mark) return mark + codeOfMark;
  if (char === "\0") return mark + codeOfNul;
  return /\p{Surrogate}/u.test(char) ? mark + char.charCodeAt(0).toString(16) : char;
}

/** What `armour` was given; `undefined` for what it never makes. */
export function disarm(text: string): string | undefined {
  if (!text.includes(mark)) return text;
  const [plain = "", ...marked] = text.split(mark);
  const parts = [plain];
  for (const part of marked) {
    const decoded = decode(part);
    if (decoded === undefined) return undefined;
    parts.push(decoded);
  }
  return parts.join("");
}

/** What stands behind a mark. */
function decode(part: string): string | undefined {
  if (part.startsWith(codeOfNul)) return `\0${part.slice(1)}`;
  if (part.startsWith(codeOfMark)) return mark + part.slice(1);
  if (!/^d[89a-f][0-9a-f]{2}/.test(part)) return undefined;
  return String.fromCharCode(Number.parseInt(part.slice(0, hexDigits), 16)) + part.slice(hexDigits);
}
