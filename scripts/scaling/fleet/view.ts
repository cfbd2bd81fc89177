/** What `make fleet` shows: depth and replicas of each engine over time, who decided, and why. */

import type { Drawn, Look } from "../../show/terminal/live.ts";
import { count, painter } from "../../show/terminal/paint.ts";
import { clip } from "../../show/terminal/printable.ts";
import { sparkline } from "../../show/terminal/sparkline.ts";
import type { Fleet } from "./fleet.ts";
import type { ScaledEngine } from "./scaled-engine.ts";

export interface FleetView extends Drawn {
  /** Takes a sample of every figure for the sparklines. */
  sample(): void;
  event(text: string): void;
}

const EVENTS_SHOWN = 6;
const SAMPLES_KEPT = 200;
const NAME_WIDTH = 12;

interface Past {
  depth: number[];
  replicas: number[];
}

/** @param title what this fleet is; @param notes what differs here from the files. */
export function createView(fleet: Fleet, title: string, notes: readonly string[]): FleetView {
  const startedAtMs = performance.now();
  const past = new Map<string, Past>();
  const events: string[] = [];
  const elapsedS = () => (performance.now() - startedAtMs) / 1_000;

  return {
    sample() {
      for (const { scaledObject, depth, deployment } of fleet.engines) {
        const samples = past.get(scaledObject.name) ?? { depth: [], replicas: [] };
        past.set(scaledObject.name, samples);
        for (const [list, value] of [
          [samples.depth, depth ?? 0],
          [samples.replicas, deployment.pods.running],
        ] as const) {
          list.push(value);
          if (list.length > SAMPLES_KEPT) list.shift();
        }
      }
    },
    event(text) {
      events.push(`${elapsedS().toFixed(1).padStart(7)} s  ${text}`);
      if (events.length > EVENTS_SHOWN) events.shift();
    },
    frame(look) {
      const paint = painter(look.color);
      const width = widthOf(look);
      const clock = `${elapsedS().toFixed(1)} s`;
      const head = clip(title, width - clock.length - 2);
      return [
        `${paint("bold", head)}${" ".repeat(width - head.length - clock.length)}${paint("dim", clock)}`,
        ...notes.map((note) => paint("dim", clip(note, width))),
        "",
        ...fleet.engines.flatMap((engine) =>
          engineLines(engine, past.get(engine.scaledObject.name), look),
        ),
        "",
        ...Array.from({ length: EVENTS_SHOWN }, (_, index) =>
          paint("dim", clip(events[index] ?? "", width)),
        ),
      ].map((line) => ` ${line}`);
    },
    line: () => [`${elapsedS().toFixed(0)}s`, ...fleet.engines.map(engineWords)].join("  "),
  };
}

const widthOf = ({ columns }: Look) => Math.max(40, Math.min(columns, 110)) - 2;

/** Two lines: the figures with their past, and the reason below. */
function engineLines(engine: ScaledEngine, past: Past | undefined, look: Look): string[] {
  const paint = painter(look.color);
  const width = widthOf(look);
  const { deployment, scaledObject } = engine;
  const depth = engine.depth === undefined ? "?" : count(engine.depth);
  const replicas = `${deployment.replicas}/${scaledObject.maxReplicaCount}`;
  const numbers = [scaledObject.name.padEnd(NAME_WIDTH), depth.padStart(9), replicas.padStart(7)];
  const room = Math.max(0, width - NAME_WIDTH - 9 - 7 - 4);
  const [depthRoom, replicaRoom] = [Math.ceil((room * 2) / 3), Math.floor(room / 3)];
  const why = clip(`${" ".repeat(NAME_WIDTH + 1)}${engine.reasons}${podWords(engine)}`, width);
  return [
    `${paint("bold", numbers[0] ?? "")}${numbers[1]} ${paint("cyan", sparkline(past?.depth ?? [], depthRoom))} ${numbers[2]}  ${paint("green", sparkline(past?.replicas ?? [], replicaRoom))}`,
    paint(engine.error === undefined ? "dim" : "red", why),
  ];
}

function podWords({ deployment: { pods } }: ScaledEngine): string {
  const words = [
    pods.draining > 0 ? `${pods.draining} draining` : "",
    pods.crashLooping > 0 ? `${pods.crashLooping} in CrashLoopBackOff` : "",
  ].filter((word) => word !== "");
  return words.length > 0 ? ` · ${words.join(", ")}` : "";
}

function engineWords({ scaledObject, deployment, depth }: ScaledEngine): string {
  const { running, draining } = deployment.pods;
  const isPaused = scaledObject.paused || scaledObject.pausedReplicas !== undefined;
  return `${scaledObject.name} depth=${depth ?? "?"} replicas=${deployment.replicas} running=${running} draining=${draining}${isPaused ? " paused" : ""}`;
}
