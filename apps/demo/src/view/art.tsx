import type { ReactNode } from "react";
import type { Sku } from "../catalogue.ts";

// Four tones of the tile's own hue (classes a to d, dark to pale) and its line; style.css mixes them for each theme.
const drawings: Record<Sku, ReactNode> = {
  blanket: (
    <>
      <path className="b" d="M22 74h76v16a6 6 0 0 1-6 6H28a6 6 0 0 1-6-6z" />
      <path className="c" d="M22 56h70a9 9 0 0 1 0 18H22z" />
      <path className="a" d="M26 38h66a9 9 0 0 1 0 18H26a9 9 0 0 1 0-18z" />
      <path className="line" d="M34 38v18M42 38v18M34 56v18M42 56v18M34 74v22M42 74v22" />
      <path className="line" d="M30 96v7M40 96v7M50 96v7M60 96v7M70 96v7M80 96v7M90 96v7" />
    </>
  ),
  mask: (
    <>
      <path className="line" d="M14 52c-8 14-4 26 6 30M106 52c8 14 4 26-6 30" />
      <path className="a" d="M16 52c8-9 80-9 88 0 5 18-4 36-20 36-12 0-14-14-24-14S48 88 36 88C20 88 11 70 16 52z" />
      <path className="line pale" d="M30 66c4 8 16 8 20 0M70 66c4 8 16 8 20 0" />
      <path className="line pale" d="M34 73l-3 5M40 75v6M46 73l3 5M74 73l-3 5M80 75v6M86 73l3 5" />
      <path className="c" d="M28 52c16-4 48-4 64 0-20-2-44-2-64 0z" />
    </>
  ),
  pillow: (
    <>
      <path
        className="c"
        d="M20 44c-4-8 2-12 9-9 22 4 40 4 62 0 7-3 13 1 9 9-4 14-4 24 0 38 4 8-2 12-9 9-22-4-40-4-62 0-7 3-13-1-9-9 4-14 4-24 0-38z"
      />
      <path className="b" d="M34 60c14-12 38-12 52 0-8 14-44 14-52 0z" />
      <path className="line deep" d="M30 44l8 7M90 44l-8 7M30 82l8-7M90 82l-8-7" />
    </>
  ),
  tea: (
    <>
      <path className="line" d="M48 36c-6-7 6-10 0-18M62 36c-6-7 6-10 0-18" />
      <path className="line" d="M84 54c20-4 20 24-2 22" />
      <path className="a" d="M26 46h60v22c0 16-12 26-30 26S26 84 26 68z" />
      <ellipse className="d" cx="56" cy="47" rx="30" ry="6" />
      <ellipse className="b" cx="56" cy="48" rx="25" ry="4" />
      <path className="line pale" d="M40 49c0 10 2 14 2 18" />
      <path className="d" d="M36 67h12v13H36z" />
      <ellipse className="b" cx="56" cy="99" rx="36" ry="4" />
    </>
  ),
  lamp: (
    <>
      <circle className="d" cx="60" cy="52" r="40" opacity=".35" />
      <circle className="d" cx="60" cy="52" r="31" />
      <circle className="c" cx="49" cy="43" r="7" />
      <circle className="c" cx="71" cy="57" r="9" />
      <circle className="c" cx="52" cy="66" r="4" />
      <circle className="c" cx="69" cy="36" r="3.500" />
      <path className="a" d="M40 80h40l6 20H34z" />
      <path className="line pale" d="M60 88v5" />
    </>
  ),
  bottle: (
    <>
      <path className="b" d="M50 14h20v8l-3 8H53l-3-8z" />
      <path
        className="a"
        d="M40 38c0-6 6-8 20-8s20 2 20 8c8 6 12 14 12 30v24c0 8-6 12-14 12H42c-8 0-14-4-14-12V68c0-16 4-24 12-30z"
      />
      <path className="line pale" d="M42 58l18 14 18-14M42 74l18 14 18-14" />
      <path className="c" d="M40 38h40v5H40z" />
    </>
  ),
  socks: (
    <>
      <path className="b" d="M58 20h24v44l20 14c10 7 5 22-8 22H84L58 78z" />
      <path className="a" d="M32 22h26v46l20 14c10 8 5 22-8 22H56c-6 0-10-2-14-6L32 86z" />
      <path className="d" d="M30 18h30v11H30zM60 16h24v10H60z" />
      <path className="line pale" d="M32 40h26M32 48h26" />
      <path
        className="c"
        d="M34 88c8-2 16 6 14 16-8-2-14-10-14-16zM84 90c4 4 4 10 0 13-8 2-16 1-20 1 0-8 10-17 20-14z"
      />
    </>
  ),
  rain: (
    <>
      <rect className="a" x="24" y="48" width="72" height="50" rx="12" />
      <circle className="d" cx="50" cy="73" r="17" />
      <circle className="b" cx="50" cy="73" r="8" />
      <circle className="d" cx="83" cy="64" r="4" />
      <circle className="c" cx="83" cy="80" r="6" />
      <path className="line deep" d="M83 80l3-4" />
      <path
        className="line"
        d="M34 16l-4 9M48 22l-4 9M62 16l-4 9M76 22l-4 9M90 16l-4 9M40 34l-3 6M68 34l-3 6M84 35l-3 6"
      />
    </>
  ),
  clock: (
    <>
      <path className="b" d="M24 40c-6-12 10-24 20-14zM96 40c6-12-10-24-20-14z" />
      <path className="line thick" d="M38 94l-7 9M82 94l7 9" />
      <circle className="a" cx="60" cy="64" r="38" />
      <circle className="d" cx="60" cy="64" r="29" />
      <path className="line deep" d="M60 46v18l11 8" />
      <path className="line deep" d="M47 80c6 6 20 6 26 0" />
    </>
  ),
};

export function Art({ sku }: { sku: Sku }) {
  return (
    <svg className="art" viewBox="0 0 120 120" aria-hidden="true">
      {drawings[sku]}
    </svg>
  );
}
