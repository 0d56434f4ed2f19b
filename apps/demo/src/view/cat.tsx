/** Asleep, in a loaf. */
export function Cat() {
  return (
    <svg viewBox="0 0 260 150" className="sleeper" aria-hidden="true">
      <ellipse cx="132" cy="132" rx="112" ry="13" className="rug" />
      <path className="fur breath" d="M44 128c-14-2-18-20-8-40 16-34 56-56 104-52 48 3 82 30 86 62 2 18-8 30-26 30z" />
      <path className="stripe" d="M128 37c2 10 2 16-1 24M152 38c4 10 4 17 1 26M176 45c5 9 6 17 4 26" />
      <path className="fur tail" d="M196 128c26 2 50-6 50-26 0-10-8-15-14-12 4 16-14 24-38 24z" />
      <path className="fur" d="M30 84l-4-36 26 18c10-4 22-4 32 0l26-18-3 36c8 22-6 44-38 44S22 106 30 84z" />
      <path className="ear" d="M33 70l-2-14 11 8zM102 70l2-14-11 8z" />
      <path className="line" d="M42 92c4 6 12 6 16 0M78 92c4 6 12 6 16 0M63 105c3 3 7 3 10 0M68 103v-3" />
      <path className="nose" d="M64 97h8l-4 4.500z" />
      <path className="line thin" d="M36 104l-18-3M37 110l-17 4M100 104l18-3M99 110l17 4" />
      <path className="paw" d="M78 128c0-9 22-11 26 0zM46 128c2-10 24-9 24 0z" />
      <g className="zzz">
        <path d="M118 22h12l-12 14h12" />
        <path d="M142 6h9l-9 11h9" />
      </g>
    </svg>
  );
}
