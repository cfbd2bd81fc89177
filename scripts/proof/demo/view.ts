/** What the live view shows, as a frame for a terminal and as a plain line. */
import type { Look } from "../../show/terminal/live.ts";
import { count, type Paint, painter } from "../../show/terminal/paint.ts";
import { clip } from "../../show/terminal/printable.ts";

export interface EngineView {
  name: string;
  /** In the queue. */
  waiting: number;
  /** Delivered to a worker, and not done. */
  running: number;
  done: number;
  /** All that there will be. */
  total: number;
  perSecond: number;
  replicas: number;
  maxReplicas: number;
}

export interface View {
  title: string;
  phase: string;
  /** How the fleet is scaled. */
  scaling: string;
  elapsedS: number;
  published: number;
  engines: EngineView[];
}

/** The lines of one frame, none longer than the terminal is wide. */
export function renderFrame(view: View, { columns, color }: Look): string[] {
  const paint = painter(color);
  const width = Math.max(40, Math.min(columns, 100)) - 2;
  const done = sum(view.engines.map((engine) => engine.done));
  const total = sum(view.engines.map((engine) => engine.total));
  const fraction = total === 0 ? 0 : Math.min(1, done / total);
  const percent = `${Math.floor(fraction * 100)} %`.padStart(5);
  const clock = `${view.elapsedS.toFixed(1)} s`;
  const title = clip(view.title, width - clock.length - 2);
  return [
    `${paint("bold", title)}${" ".repeat(width - title.length - clock.length)}${paint("dim", clock)}`,
    `${bar(fraction, width - 6, paint)} ${percent}`,
    paint("dim", clip(`${view.phase}  ·  published ${count(view.published)}`, width)),
    paint("dim", clip(view.scaling, width)),
    "",
    paint("dim", clip(row(["engine", "waiting", "running", "done", "per s", " replicas"]), width)),
    ...view.engines.map((engine) => engineRow(engine, width, paint)),
  ].map((line) => ` ${line}`);
}

/** The same in one line, for logs. */
export function renderLine(view: View): string {
  const engines = view.engines.map(
    (engine) =>
      `${engine.name} waiting=${engine.waiting} running=${engine.running} done=${engine.done}/${engine.total} per_s=${engine.perSecond} replicas=${engine.replicas}`,
  );
  return [
    `${view.elapsedS.toFixed(0)}s`,
    view.phase,
    `published=${view.published}`,
    ...engines,
  ].join("  ");
}

function engineRow(engine: EngineView, width: number, paint: Paint): string {
  const dots =
    paint("green", "●".repeat(engine.replicas)) +
    paint("dim", "○".repeat(Math.max(0, engine.maxReplicas - engine.replicas)));
  const numbers = row([
    engine.name,
    count(engine.waiting),
    count(engine.running),
    count(engine.done),
    count(engine.perSecond),
  ]);
  const room = width - numbers.length - 2;
  return room < Math.max(engine.maxReplicas, engine.replicas)
    ? clip(`${numbers}  ${engine.replicas}`, width)
    : `${numbers}  ${dots}`;
}

const row = ([name = "", ...cells]: string[]) =>
  name.padEnd(12) + cells.map((cell) => cell.padStart(9)).join("");

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

function bar(fraction: number, width: number, paint: Paint): string {
  const eighths = Math.round(fraction * width * 8);
  const full = "█".repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? "");
  return paint("cyan", full) + paint("dim", "░".repeat(width - full.length));
}

const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
