/** The picture of the limits: one row each, as far along the axis as the jobs a day that it allows. */
import { linear } from "@tl-engine/shared/charts/scales";
import { COLOURS, line, px, svgDocument, text } from "@tl-engine/shared/charts/svg";
import type { Limit } from "./limits.ts";

const WIDTH = 1_000;
const LEFT = 300;
const RIGHT = 940;
const TOP = 122;
const ROW = 46;
/** The loads that the simulator knows by name. */
const NAMED = [1e6, 10e6, 100e6];

/** "8200", "1,2 M": as the handbook writes them. */
export const inSpanish = (jobs: number) =>
  jobs >= 1e6
    ? `${(jobs / 1e6).toLocaleString("es-ES", { maximumSignificantDigits: 2, useGrouping: "always" })} M`
    : `${(jobs / 1e3).toLocaleString("es-ES", { maximumSignificantDigits: 2 })} mil`;

export function drawLimits(limits: readonly Limit[]): string {
  const decades = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10];
  const largest = Math.max(...limits.map(({ jobsPerDay }) => jobsPerDay));
  const last = decades.find((decade) => decade >= largest) ?? 1e10;
  const log = linear(Math.log10(1e3), Math.log10(last), LEFT, RIGHT);
  const x = (jobs: number) => log(Math.log10(jobs));
  const bottom = TOP + limits.length * ROW;
  const grid = decades
    .filter((decade) => decade <= last)
    .map((decade) => {
      const named = NAMED.includes(decade);
      return (
        line(x(decade), TOP - 8, x(decade), bottom, {
          colour: named ? COLOURS.mist : COLOURS.grid,
          width: named ? 1.5 : 1,
        }) +
        text(x(decade), TOP - 18, inSpanish(decade), {
          anchor: "middle",
          weight: named ? 600 : 400,
          colour: named ? COLOURS.ink : COLOURS.faint,
        })
      );
    });
  const rows = limits.map(({ what, because, jobsPerDay, kind }, index) => {
    const y = TOP + index * ROW + 10;
    const colour = kind === "wall" ? COLOURS.vermilion : COLOURS.orange;
    const end = x(jobsPerDay);
    const near = end > RIGHT - 70;
    return (
      text(LEFT - 14, y + 10, what, { anchor: "end", size: 13, weight: 600, colour: COLOURS.ink }) +
      text(LEFT - 14, y + 26, because, { anchor: "end", size: 11 }) +
      `<rect x="${LEFT}" y="${y}" width="${px(end - LEFT)}" height="20" rx="3" fill="${colour}"/>` +
      text(near ? end - 8 : end + 8, y + 15, inSpanish(jobsPerDay), {
        size: 13,
        weight: 600,
        anchor: near ? "end" : "start",
        colour: near ? COLOURS.paper : COLOURS.ink,
        halo: !near,
      })
    );
  });
  const key = (at: number, colour: string, label: string) =>
    `<rect x="${at}" y="58" width="12" height="12" rx="3" fill="${colour}"/>${text(at + 18, 68, label)}`;
  const title = "Qué se acaba primero";
  const about = "Trabajos en un día medio con los que se llega a cada límite (escala logarítmica)";
  return svgDocument({ width: WIDTH, height: bottom + 26, title, about }, [
    text(28, 36, title, { size: 20, weight: 600, colour: COLOURS.ink }),
    text(28, 68, about, { size: 13 }),
    key(640, COLOURS.vermilion, "límite duro"),
    key(760, COLOURS.orange, "se sigue, pero cuesta más"),
    ...grid,
    ...rows,
  ]);
}
