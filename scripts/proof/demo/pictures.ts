/** Writes the pictures of a run, and the page that shows them. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AnsweredFlow } from "./flows.ts";
import { type Page, type PageSection, renderPage } from "./page.ts";

/** In the order of the page: the key in the engine's answer, and how to read it. */
const CHARTS = [
  {
    key: "cumulativeFlow",
    slug: "cumulative-flow",
    title: "Cumulative flow",
    caption:
      "Items in each state group at the end of each day; a band that widens is work that piles up.",
  },
  {
    key: "cycleTime",
    slug: "cycle-time",
    title: "Cycle time",
    caption: "Each finished item by how long it was worked on; below the upper line lie 85 of 100.",
  },
  {
    key: "throughput",
    slug: "throughput",
    title: "Throughput",
    caption: "Items finished in each period; the forecast draws from the last year of it.",
  },
  {
    key: "forecast",
    slug: "forecast",
    title: "Forecast",
    caption: "When the open items will be done, from 2,000 simulations at the last year's pace.",
  },
  {
    key: "burn",
    slug: "burn",
    title: "Burn-down and burn-up",
    caption: "All that is wanted, what is done of it, and what remains.",
  },
] as const;

const DIGEST = { file: "digest.html", caption: "One of the mails, as the mail server got it." };

/** Removes the pictures of an earlier run: those of another tracker would stand beside ours. */
export function removePictures(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const ours = new RegExp(
    `^(index\\.html|digest\\.html|.+-(${CHARTS.map(({ slug }) => slug).join("|")})\\.svg)$`,
  );
  for (const file of readdirSync(folder).filter((name) => ours.test(name)))
    rmSync(join(folder, file));
}

/** Returns the path of the page. */
export function writePictures(
  folder: string,
  flows: AnsweredFlow[],
  page: Omit<Page, "sections" | "digest">,
  digestHtml?: string,
): string {
  mkdirSync(folder, { recursive: true });
  const sections: PageSection[] = [];
  for (const { title, project, answer } of flows) {
    const { svg } = answer;
    if (!svg) continue;
    const charts = CHARTS.flatMap(({ key, slug, title: name, caption }) => {
      const drawing = svg[key];
      if (drawing === undefined) return [];
      const file = `${project ? fileName(project.key) : "all"}-${slug}.svg`;
      writeFileSync(join(folder, file), drawing);
      return [{ title: name, caption, svg: drawing, file }];
    });
    sections.push({ title, charts });
  }
  const path = join(folder, "index.html");
  const digest = digestHtml === undefined ? undefined : { html: digestHtml, ...DIGEST };
  if (digest !== undefined) writeFileSync(join(folder, digest.file), digest.html);
  writeFileSync(path, renderPage({ ...page, sections, digest }));
  return path;
}

/** A key of an unknown tracker may hold a slash. */
const fileName = (key: string) => key.replace(/[^A-Za-z0-9_-]+/g, "-").slice(0, 60);
