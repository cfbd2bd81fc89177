/** Keeps the handbook whole: its pages and map, the runbook's sections, its commands, and what it takes from the code. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { ERROR_CODES } from "../shared/wire/error-codes.ts";
import { generatedParts } from "./author/handbook/parts.ts";
import { REPOSITORY } from "./repository.ts";
import { withTable } from "./scaling/simulate/figure-tables.ts";
import { workerFolders } from "./workers.ts";

const read = (path: string) => readFileSync(join(REPOSITORY, path), "utf8");
const filesUnder = (folder: string, ending: string) =>
  readdirSync(join(REPOSITORY, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(ending) && !path.includes("node_modules"))
    .map((path) => join(folder, path));
const allOf = (text: string, pattern: RegExp) =>
  [...text.matchAll(pattern)].map((match) => match[1] as string);

const MAP = "docs/README.md";
const RUNBOOK = "docs/runbook.md";
const NOT_YET = "docs/meta/integraciones-futuras.md";
/** Pages that people write; the contract is generated. */
const HANDBOOK = filesUnder("docs", ".md").filter((page) => !page.startsWith("docs/contract/"));

/** Where the owner looks for them. */
const NAMED = [
  "docs/README.md",
  "docs/runbook.md",
  ...["README", "vista-general", "configuracion", "k8s", "servicios", "ci-cd"].map(
    (it) => `docs/infra/${it}.md`,
  ),
  ...["servicios-remotos", "sistemas-externos", "monitoreo"].map(
    (it) => `docs/infra/integraciones/${it}.md`,
  ),
  ...["ANALISIS_COMPLETO", "PROTECCION_COSTOS", "postgresql", "redis", "rabbitmq"].map(
    (it) => `docs/meta/k8/${it}.md`,
  ),
  ...["engine-worker", "engine-api"].map((it) => `docs/meta/k8/${it}.md`),
  ...["README", "configuracion", "uso-aplicacion"].map((it) => `docs/meta/rabbitmq/${it}.md`),
  ...["postgresql/README", "redis/README", "posthog", "integraciones-futuras"].map(
    (it) => `docs/meta/${it}.md`,
  ),
];

describe("pages", () => {
  test("stand where the owner named them", () => {
    expect(NAMED.filter((page) => !existsSync(join(REPOSITORY, page)))).toEqual([]);
  });

  test("are all on the map", () => {
    const links = allOf(read(MAP), /\]\(([^)#\s]+)/g).map((link) =>
      relative(REPOSITORY, join(REPOSITORY, dirname(MAP), link)),
    );
    // The contract's own page lists those of the engines.
    const pages = [...HANDBOOK, "docs/contract/README.md"].filter((page) => page !== MAP);
    expect(pages.filter((page) => !links.includes(page))).toEqual([]);
  });

  test("are no stubs", () => {
    const words = (page: string) => read(page).split(/\s+/).length;
    expect(HANDBOOK.filter((page) => words(page) < 150)).toEqual([]);
  });

  test("don't repeat each other", () => {
    const seen = new Map<string, string>();
    const repeated = HANDBOOK.flatMap((page) => {
      const lines = read(page)
        .split("\n")
        .filter((line) => line.length > 100);
      const others = lines.filter((line) => (seen.get(line) ?? page) !== page);
      for (const line of lines) seen.set(line, seen.get(line) ?? page);
      return others.map((line) => `${page} and ${seen.get(line)}: ${line.slice(0, 60)}`);
    });
    expect(repeated).toEqual([]);
  });

  test("say what is not there yet in one place", () => {
    const others = HANDBOOK.filter((page) => page !== NOT_YET && page !== MAP);
    expect(
      others.filter((page) => /todav[ií]a no (?:hay|existe|est[áa])/i.test(read(page))),
    ).toEqual([]);
    for (const section of read(NOT_YET).split(/^## /m).slice(1))
      for (const part of ["**Estado.**", "**Encender.**", "**Coste.**"])
        expect(section).toContain(part);
  });
});

const code = ["shared", "scripts", "workers"]
  .flatMap((folder) => filesUnder(folder, ".ts"))
  .filter((path) => !path.endsWith(".test.ts"))
  .map(read);

describe("the runbook", () => {
  const runbook = read(RUNBOOK);
  const sections = runbook.split(/^(?=## )/m);
  const under = (heading: string) => sections.find((it) => it.startsWith(`## ${heading}\n`)) ?? "";
  const titles = (heading: string) => allOf(under(heading), /^### (.+)$/gm);
  const named = (heading: string) => titles(heading).map((it) => it.replaceAll("`", ""));

  test("has a section for each alert, and for no other", () => {
    const raised = code.flatMap((text) => [
      ...allOf(text, /\balert: "([a-z_]+)"/g),
      ...allOf(text, /\bconst alert = "([a-z_]+)"/g),
    ]);
    expect(raised.length).toBeGreaterThan(6);
    expect(named("Alertas").toSorted()).toEqual([...new Set(raised)].toSorted());
    // Whatever way an alert is raised, it is one of the two above.
    const others = code.flatMap((text) => allOf(text, /(\balert(?::| =)[^"\n]*$)/gm));
    expect(others).toEqual([]);
  });

  test("has a section for each error code, and for no other", () => {
    const told = named("Códigos de error").map((it) => it.replace(" como código", ""));
    expect(told.toSorted()).toEqual(Object.keys(ERROR_CODES).toSorted());
  });

  test("has lines of the log that the code writes", () => {
    const lines = named("Líneas del registro sin `alert`");
    expect(lines.length).toBeGreaterThan(2);
    expect(lines.filter((line) => !code.some((text) => text.includes(`"${line}"`)))).toEqual([]);
  });

  test("has errors of a start that the code throws", () => {
    const cells = allOf(under("Si un worker no arranca"), /^\| ([^|]*`[A-Z][^|]*)\|/gm);
    const told = cells.flatMap((cell) => allOf(cell, /`([A-Z][A-Za-z]+)`/g));
    const all = code.flatMap((text) =>
      allOf(text, /export class (\w+) extends (?:StartFailure|BrokerFailure)\b/g),
    );
    expect(all.length).toBeGreaterThan(6);
    expect(all.filter((name) => !told.includes(name))).toEqual([]);
    const thrown = (name: string) => code.some((text) => text.includes(`class ${name} extends`));
    expect(told.filter((name) => !thrown(name))).toEqual([]);
  });

  test("says of each what it means, how to look and what to do", () => {
    const entries = [
      "Alertas",
      "Líneas del registro sin `alert`",
      "Métricas y colas",
      "Códigos de error",
    ]
      .flatMap((heading) => under(heading).split(/^### /m).slice(1))
      .filter((entry) => !entry.includes("**Cómo mirar y qué hacer.**"));
    const parts = ["**Qué significa.**", "**Cómo mirar.**", "**Qué hacer.**"];
    const lacking = entries.filter((entry) => parts.some((part) => !entry.includes(part)));
    expect(entries.length).toBeGreaterThan(30);
    expect(lacking).toEqual([]);
  });
});

/** A block of commands, and the first line that says what it needs beside this repository. */
interface Block {
  page: string;
  needs: string | undefined;
  commands: string[];
}

const blocksOf = (page: string): Block[] =>
  allOf(read(page), /^[ ]*```sh\n([\s\S]*?)```/gm).map((text) => {
    const lines = text.split("\n").map((line) => line.trim());
    const commands = lines
      .map((line) => line.replace(/(?:^|\s+)#.*$/, ""))
      .filter((line) => line !== "");
    return { page, needs: /^# necesita (.+)$/.exec(lines[0] ?? "")?.[1], commands };
  });

const blocks = HANDBOOK.flatMap(blocksOf);
const alone = blocks.filter(({ needs }) => needs === undefined);

/** Cheap, and without any server: run here as the page has them. */
const RUN_HERE = /^make (?:render|cost|simulate|rights|lint-manifests|help)\b(?!.*FIGURES)/;

describe("commands", () => {
  const makefile = read("Makefile");
  const tests = filesUnder("scripts", ".test.ts").map(read);
  const scriptOf = (target: string) =>
    new RegExp(`^${target}:.*\\n(?:\\t.*\\n)*?\\t.*?(scripts/[\\w/-]+\\.(?:ts|sh))`, "m").exec(
      makefile,
    )?.[1];
  const folder = mkdtempSync(join(tmpdir(), "handbook-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("are make's, unless their block says what they need", () => {
    const others = alone.flatMap(({ page, commands }) =>
      commands
        .filter(
          (it) =>
            !/^(?:make|sh scripts\/[\w-]+\.sh|[A-Z][A-Z0-9_]+='|set -a; eval "\$\(make -s services-status\)")/.test(
              it,
            ),
        )
        .map((command) => `${page}: ${command}`),
    );
    expect(others).toEqual([]);
    expect(blocks.length).toBeGreaterThan(40);
  });

  test("need what a person can have", () => {
    const known =
      /^(?:un clúster|un broker|el registro|Docker|GitHub|Neon|grype, .+|un worker en marcha)$/;
    expect(blocks.filter(({ needs = "Docker" }) => !known.test(needs))).toEqual([]);
  });

  test("that are not run here are run by a test of their script", () => {
    const targets = alone
      .flatMap(({ commands }) => commands)
      .filter((it) => it.startsWith("make ") && !RUN_HERE.test(it))
      .flatMap((it) =>
        it
          .split(/\s+/)
          .slice(1)
          .filter((word) => /^[a-z][a-z-]*$/.test(word) && word !== "test"),
      );
    // `make test` is what runs this.
    const untested = [...new Set(targets)].filter((target) => {
      const script = scriptOf(target)?.split("/").at(-1);
      return script === undefined || !tests.some((text) => text.includes(script));
    });
    expect(untested).toEqual([]);
  });

  const here = [...new Set(alone.flatMap(({ commands }) => commands))].filter((it) =>
    RUN_HERE.test(it),
  );

  test.each(here)(
    "%s",
    (command) => {
      const load = join(folder, "carga.csv");
      writeFileSync(load, "seconds,activities,analytics\n0,6000,5800\n600,0,0\n");
      const words = command.replace("mi-carga.csv", load).split(/\s+/).slice(1);
      const { status, stderr } = spawnSync("make", ["-s", ...words], {
        cwd: REPOSITORY,
        encoding: "utf8",
      });
      expect(status, stderr).toBe(0);
    },
    60_000,
  );
});

describe("names", () => {
  const spans = (page: string) => allOf(read(page), /`([^`\n]+)`/g);

  test("of metrics are those of the code", async () => {
    const made = code.flatMap((text) => allOf(text, /"(engine_[a-z_]+)"/g));
    // Roles and schemas of Postgres.
    const roles = (await workerFolders()).map((name) => `engine_${name}`);
    const unknown = HANDBOOK.flatMap((page) =>
      spans(page)
        .flatMap((span) => allOf(span, /\b(engine_[a-z_]+[a-z])\b/g))
        .filter((name) => ![...made, ...roles].includes(name)),
    );
    expect(unknown).toEqual([]);
  });

  test("of files are there", () => {
    const missing = HANDBOOK.flatMap((page) =>
      spans(page)
        .flatMap((span) => allOf(span, /^((?:keda|manifests|workers|docs)\/[\w./-]+)$/g))
        .filter((path) => !existsSync(join(REPOSITORY, path)))
        .map((path) => `${page}: ${path}`),
    );
    expect(missing).toEqual([]);
  });

  test("of rules are the linter's", () => {
    const rules = allOf(read("docs/infra/reglas-de-manifiestos.md"), /^\| `([a-z-]+)` \|/gm);
    const named = HANDBOOK.flatMap((page) =>
      allOf(read(page), /reglas? ((?:`[a-z-]+`(?: y |, )?)+)/g).flatMap((list) =>
        allOf(list, /`([a-z-]+)`/g),
      ),
    );
    expect(named.length).toBeGreaterThan(8);
    expect(named.filter((name) => !rules.includes(name))).toEqual([]);
  });
});

test("what comes from the code is as the code says; `make handbook` writes it anew", async () => {
  const stale = (await generatedParts()).filter(({ page, name, text }) => {
    const written = read(page);
    return withTable(written, name, text) !== written;
  });
  expect(stale.map(({ page, name }) => `${page}: ${name}`)).toEqual([]);
}, 60_000);
