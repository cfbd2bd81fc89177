/** Draws a view on a terminal again and again, in place; elsewhere plain lines. */
import { wantsColor } from "./paint.ts";
import { printable } from "./printable.ts";

export interface Look {
  columns: number;
  color: boolean;
}

export interface Drawn {
  /** The lines of one frame, none longer than the terminal is wide. */
  frame(look: Look): string[];
  /** The same in one line, for logs. */
  line(): string;
}

export interface Live {
  /** A line of its own where frames are not drawn; ignored on a terminal. */
  say(line: string): void;
  /** Draws what there is now. */
  draw(): void;
  /** Draws a last time and gives the terminal back; safe to call twice. */
  stop(): void;
}

const TTY_INTERVAL_MS = 100;

/** Nothing else may write to the stream until it is stopped. */
export function startLive(drawn: Drawn, stream: NodeJS.WriteStream, plainIntervalMs = 2_000): Live {
  const fancy = stream.isTTY && process.env.TERM !== "dumb";
  const color = wantsColor(stream);
  let lines = 0;
  const draw = () => {
    if (!fancy) {
      stream.write(`${printable(drawn.line())}\n`);
      return;
    }
    const frame = drawn.frame({ columns: stream.columns ?? 80, color });
    // Up to the first line, then each line anew with its old rest erased: no flicker.
    const up = lines > 0 ? `\x1b[${lines}A` : "\x1b[?25l";
    stream.write(`${up}${frame.map((line) => `${line}\x1b[K\n`).join("")}\x1b[J`);
    lines = frame.length;
  };
  const timer = setInterval(draw, fancy ? TTY_INTERVAL_MS : plainIntervalMs);
  let stopped = false;
  return {
    draw,
    say(line) {
      if (!fancy && !stopped) stream.write(`${printable(line)}\n`);
    },
    stop() {
      if (stopped) return;
      stopped = true;
      clearInterval(timer);
      draw();
      if (fancy) stream.write("\x1b[?25h");
    },
  };
}
