/** Draws the result as one SVG: three panels of horizontal bars, readable without the table. */
import type { BenchResult } from "./report.ts";

interface Bar {
  label: string;
  value: number;
  text: string;
  /** Drawn in the accent colour. */
  ours: boolean;
  /** The range over the rounds, as a thin line. */
  range?: [number, number];
}
interface Panel {
  title: string;
  hint: string;
  bars: Bar[];
}

const WIDTH = 880;
const MARGIN = 40;
const LABEL_WIDTH = 120;
const TEXT_WIDTH = 110;
const ROW = 30;
const BAR = 18;
const HEADER = 64;
const PANEL_GAP = 14;
const COLOURS = { ours: "#0f766e", other: "#cbd5e1", ink: "#0f172a", quiet: "#64748b" };

export function drawChart(result: BenchResult): string {
  const panels = panelsOf(result).filter(({ bars }) => bars.length > 0);
  let y = MARGIN + 60;
  const drawn: string[] = [];
  for (const panel of panels) {
    drawn.push(drawPanel(panel, y));
    y += HEADER + panel.bars.length * ROW + PANEL_GAP;
  }
  const { machine, at } = result;
  const about = `${machine.cpus} × ${machine.cpu}, Node ${machine.node}, ${machine.broker}, ${at.slice(0, 10)}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" font-family="Inter, system-ui, 'DejaVu Sans', sans-serif" font-size="13" fill="${COLOURS.ink}">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="${MARGIN}" y="${MARGIN + 8}" font-size="22" font-weight="700">tl-engine beside its peers</text>
<text x="${MARGIN}" y="${MARGIN + 28}" fill="${COLOURS.quiet}" font-size="12">${escapeXml(about)}</text>
${drawn.join("\n")}
</svg>
`;
}

function panelsOf({ peers, rpc, coldStart }: BenchResult): Panel[] {
  const bars = (field: "jobsPerSecond" | "cpuUsPerJob") =>
    peers.map(
      (peer): Bar => ({
        label: peer.name,
        value: peer[field],
        text: Math.round(peer[field]).toLocaleString("en"),
        ours: peer.name === "tl-engine",
        ...(field === "jobsPerSecond" && { range: [peer.slowest, peer.fastest] }),
      }),
    );
  const waits: Bar[] = [];
  const wait = (label: string, ms: number, ours: boolean) =>
    waits.push({ label, value: ms, text: `${ms.toFixed(ms < 100 ? 2 : 0)} ms`, ours });
  const starts: Bar[] = [];
  if (rpc) {
    wait("raw p50", rpc.engine.raw.p50Ms, false);
    wait("tl-engine p50", rpc.engine.other.p50Ms, true);
    wait("raw p99", rpc.engine.raw.p99Ms, false);
    wait("tl-engine p99", rpc.engine.other.p99Ms, true);
  }
  if (coldStart) {
    const { bareMs, engineMs } = coldStart;
    starts.push({
      label: "bare Node",
      value: bareMs,
      text: `${bareMs.toFixed(0)} ms`,
      ours: false,
    });
    starts.push({
      label: "tl-engine",
      value: engineMs,
      text: `${engineMs.toFixed(0)} ms`,
      ours: true,
    });
  }
  return [
    {
      title: "Jobs per second",
      hint: "more is better; the line spans the slowest and the fastest round",
      bars: bars("jobsPerSecond"),
    },
    { title: "Worker CPU per job, µs", hint: "less is better", bars: bars("cpuUsPerJob") },
    { title: "A call with one job in flight", hint: "less is better", bars: waits },
    { title: "Process start to first job done", hint: "less is better", bars: starts },
  ];
}

function drawPanel({ title, hint, bars }: Panel, top: number): string {
  const room = WIDTH - 2 * MARGIN - LABEL_WIDTH - TEXT_WIDTH;
  const largest = Math.max(...bars.flatMap(({ value, range }) => [value, range?.[1] ?? 0]));
  const length = (value: number) => Math.max(1, (value / largest) * room);
  const left = MARGIN + LABEL_WIDTH;
  const rows = bars.map(({ label, value, text, ours, range }, index) => {
    const y = top + HEADER - 20 + index * ROW;
    const middle = y + BAR / 2;
    const [low, high] = range ?? [value, value];
    const end = left + Math.max(length(value), length(high));
    return `<text x="${left - 12}" y="${middle + 4}" text-anchor="end"${ours ? ' font-weight="700"' : ""}>${escapeXml(label)}</text>
<rect x="${left}" y="${y}" width="${length(value).toFixed(1)}" height="${BAR}" rx="3" fill="${ours ? COLOURS.ours : COLOURS.other}"/>
${range ? `<line x1="${(left + length(low)).toFixed(1)}" x2="${(left + length(high)).toFixed(1)}" y1="${middle}" y2="${middle}" stroke="${COLOURS.ink}" stroke-width="1.5"/>` : ""}
<text x="${(end + 10).toFixed(1)}" y="${middle + 4}"${ours ? ' font-weight="700"' : ""}>${escapeXml(text)}</text>`;
  });
  return `<text x="${MARGIN}" y="${top + 12}" font-size="15" font-weight="600">${escapeXml(title)}</text>
<text x="${MARGIN}" y="${top + 30}" font-size="12" fill="${COLOURS.quiet}">${escapeXml(hint)}</text>
${rows.join("\n")}`;
}

const escapeXml = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
