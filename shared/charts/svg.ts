/** The look that all charts share: colours, type, and how numbers and text get into SVG safely. */

/** Colours of Okabe and Ito's palette, which colour-blind people can tell apart, and greys for what frames them. */
export const COLOURS = {
  blue: "#0072b2",
  sky: "#56b4e9",
  green: "#009e73",
  orange: "#e69f00",
  vermilion: "#d55e00",
  purple: "#cc79a7",
  ink: "#1f2933",
  text: "#52606d",
  faint: "#9aa5b1",
  grid: "#e9edf1",
  paper: "#ffffff",
  mist: "#cbd2d9",
} as const;

const ENTITIES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text for element content and attribute values; what XML 1.0 can't hold becomes U+FFFD. */
export function escapeText(text: string): string {
  return text
    .toWellFormed()
    .replace(/[&<>"']/g, (character) => ENTITIES[character] as string)
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd");
}

/** A coordinate with one decimal at most. */
export const px = (value: number) => String(Math.round(value * 10) / 10);

/** A number for people: 1,234 or 3.5. */
export const formatNumber = (value: number) =>
  value.toLocaleString("en-US", { maximumFractionDigits: Math.abs(value) < 10 ? 1 : 0 });

/** "1 item", "2 items". */
export const plural = (count: number, noun: string) =>
  `${formatNumber(count)} ${noun}${count === 1 ? "" : "s"}`;

export interface TextStyle {
  size?: number;
  colour?: string;
  anchor?: "start" | "middle" | "end";
  weight?: 400 | 600;
}

/** A line of text; `halo` keeps it readable on top of marks. */
export function text(
  x: number,
  y: number,
  content: string,
  style: TextStyle & { halo?: boolean } = {},
): string {
  const { size = 12, colour = COLOURS.text, anchor = "start", weight = 400, halo = false } = style;
  const stroke = halo
    ? ` paint-order="stroke" stroke="${COLOURS.paper}" stroke-width="4" stroke-linejoin="round"`
    : "";
  return `<text x="${px(x)}" y="${px(y)}" font-size="${size}" font-weight="${weight}" fill="${colour}" text-anchor="${anchor}"${stroke}>${escapeText(content)}</text>`;
}

export interface LineStyle {
  colour: string;
  width?: number;
  dash?: string;
}

/** A straight line. */
export function line(
  x1: number,
  y1: number,
  x2: number,
  y2: number,
  { colour, width = 1, dash }: LineStyle,
): string {
  return `<line x1="${px(x1)}" y1="${px(y1)}" x2="${px(x2)}" y2="${px(y2)}" stroke="${colour}" stroke-width="${width}"${dash ? ` stroke-dasharray="${dash}"` : ""}/>`;
}

/** The points of a path, without its start. */
const joined = (points: readonly (readonly [number, number])[]) =>
  points.map(([x, y]) => `${px(x)} ${px(y)}`).join("L");

/** A line through points. */
export function polyline(
  points: readonly (readonly [number, number])[],
  { colour, width = 2, dash }: LineStyle,
): string {
  if (points.length === 0) return "";
  return `<path d="M${joined(points)}" fill="none" stroke="${colour}" stroke-width="${width}" stroke-linejoin="round" stroke-linecap="round"${dash ? ` stroke-dasharray="${dash}"` : ""}/>`;
}

/** The surface between two lines over the same x. */
export function area(
  upper: readonly (readonly [number, number])[],
  lower: readonly (readonly [number, number])[],
  colour: string,
  opacity = 1,
): string {
  if (upper.length === 0) return "";
  return `<path d="M${joined([...upper, ...[...lower].reverse()])}Z" fill="${colour}" fill-opacity="${opacity}"/>`;
}

export interface Paper {
  width: number;
  height: number;
  /** Radius of its corners. */
  radius?: number;
  /** What it shows and about what, for who can't see it. */
  title: string;
  about: string;
}

/** A whole SVG document: a sheet of paper with marks on it. */
export const svgDocument = (
  { width, height, radius = 10, title, about }: Paper,
  marks: readonly string[],
) =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" font-family="Inter, 'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif">`,
    `<title>${escapeText(title)}</title><desc>${escapeText(about)}</desc>`,
    `<rect width="${width}" height="${height}" rx="${radius}" fill="${COLOURS.paper}"/>`,
    ...marks,
    "</svg>\n",
  ].join("");
