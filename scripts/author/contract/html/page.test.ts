/** The page needs nothing but itself, leads where it says, escapes what it shows, and its examples are what they claim. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { WorkerDefinition } from "../../../../shared/engine/define-worker.ts";
import { action, defineWorker } from "../../../../shared/engine/define-worker.ts";
import { ERROR_CODES } from "../../../../shared/wire/error-codes.ts";
import { loadWorkers } from "../../../workers.ts";
import { type EngineContract, engineContract } from "../../contract.ts";
import { asJson, asPython, asTypeScript, coloured } from "./code.ts";
import { html, styleSheet, words } from "./html.ts";
import { contractHtml } from "./page.ts";
import { PYTHON_CALL } from "./programs.ts";

const DOCS = join(import.meta.dirname, "../../../../docs/contract");

const documented = (definition: WorkerDefinition) => ({
  contract: engineContract(definition) as EngineContract,
  definition,
});
const engines = (await loadWorkers())
  .filter(({ definition }) => Object.keys(definition.actions).length > 0)
  .map(({ definition }) => documented(definition));
const page = contractHtml(engines);

const VOID = new Set(["meta", "input", "wbr"]);

/** Tags as they open and close; what is left open, or closed without being open. */
function unbalanced(text: string): string[] {
  const open: string[] = [];
  const wrong: string[] = [];
  for (const [, slash, name = ""] of text.matchAll(/<(\/?)([a-z][a-z0-9]*)\b[^>]*>/g)) {
    if (VOID.has(name)) continue;
    if (!slash) open.push(name);
    else if (open.pop() !== name) wrong.push(name);
  }
  return [...wrong, ...open];
}

const all = (text: string, pattern: RegExp) =>
  [...text.matchAll(pattern)].map(([, found = ""]) => found);

test("nothing comes from elsewhere and nothing runs", () => {
  const outside =
    /<script|<link|<img|<iframe|<object|<embed|<base|\bsrc=|@import|url\(|\bon[a-z]+="|javascript:/i;
  expect(page).not.toMatch(outside);
  expect(all(page, /href="([^"#][^"]*)"/g).filter((to) => /^[a-z]+:|^\/\//.test(to))).toEqual([]);
  expect(page).toContain("default-src &#39;none&#39;");
});

test("it is well-formed, ids are unique, links lead somewhere", () => {
  expect(unbalanced(page)).toEqual([]);
  const ids = all(page, /\bid="([^"]*)"/g);
  expect(ids.length).toBe(new Set(ids).size);
  expect(all(page, /href="#([^"]*)"/g).filter((id) => !ids.includes(id))).toEqual([]);
  const files = all(page, /href="([^"#][^"]*)"/g);
  expect(files.length).toBeGreaterThan(2);
  expect(files.filter((file) => !existsSync(join(DOCS, file)))).toEqual([]);
  expect(all(page, /<label for="([^"]*)"/g).filter((id) => !ids.includes(id))).toEqual([]);
});

test("every heading below the title can be linked to", () => {
  const headings = all(page, /<(h[234][^>]*)>/g);
  expect(headings.filter((open) => !open.includes(" id="))).toEqual([]);
  expect(all(page, /(class="anchor")/g)).toHaveLength(headings.length);
});

test("each engine, action, event and error code has its place", () => {
  for (const { contract } of engines) {
    for (const [name, { type }] of Object.entries(contract.actions)) {
      expect(page).toContain(`id="${contract.engine}-${name}"`);
      expect(page).toContain(`<code>${type}</code>`);
    }
    for (const type of Object.keys(contract.events))
      expect(page).toContain(`id="event-${type.replace(".", "-")}"`);
  }
  for (const code of Object.keys(ERROR_CODES)) expect(page).toContain(`id="error-${code}"`);
});

describe("hostile words", () => {
  const evil = `</td></style><script>alert("x")</script><b onclick='y'>&amp; \`</code>\` **</p>**`;
  const hostile = defineWorker({
    name: "hostile",
    concurrency: 1,
    timeoutMs: 1_000,
    actions: {
      act: action({
        version: 1,
        input: z.object({
          "<i>": z.string().default(evil).describe(evil),
          list: z.enum([evil, "b", "c", "d", "e", "f", "g"]).describe("A list.").optional(),
        }),
        output: z.object({ [evil]: z.literal(evil).describe(evil) }),
        emits: { "thing.made": z.object({ c: z.string().describe(evil) }) },
        examples: [{ title: evil, input: () => ({ "<i>": evil }) }],
        handle: () => ({}) as never,
      }),
    },
  });
  const shown = contractHtml([documented(hostile)]);

  test("stand there as text", () => {
    expect(shown).not.toMatch(/<script|<b onclick|<i>/);
    expect(unbalanced(shown)).toEqual([]);
    expect(shown.match(/<\/style>/g)).toHaveLength(1);
    expect(shown).toContain("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;");
    expect(shown).toContain("&amp;amp;");
  });

  test("also in attributes", () => {
    const inTags = all(shown, /<[a-z][^>]*?\s[a-z-]+="([^"]*)"/g);
    expect(inTags.filter((value) => /[<>']/.test(value))).toEqual([]);
  });
});

test("a template escapes what it is given, and nothing twice", () => {
  const inner = html`<em>${"<&>"}</em>`;
  expect(html`<p title="${`"'`}">${[inner, 7, false, undefined]}</p>`.text).toBe(
    `<p title="&quot;&#39;"><em>&lt;&amp;&gt;</em>7</p>`,
  );
  expect(words("a `<b>` **c** *d* [e](#f) [g](javascript:h)").text).toBe(
    `a <code>&lt;b&gt;</code> <strong>c</strong> <em>d</em> <a href="#f">e</a> [g](javascript:h)`,
  );
  expect(() => styleSheet("</style>")).toThrow("can't hold");
});

const examples = engines.flatMap(({ contract: { engine, actions } }) =>
  Object.entries(actions).flatMap(([name, { type, examples: own }]) =>
    own.map(({ title, input }) => ({ engine, name, type, title, input })),
  ),
);

/** What a browser shows of an element's inside. */
const plain = (text: string) =>
  text
    .replace(/<[^>]*>/g, "")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&");
const blocks = all(page, /<pre[^>]*><code>([\s\S]*?)<\/code><\/pre>/g).map(plain);

const hasPython = spawnSync("python3", ["--version"]).status === 0;
if (!hasPython) console.warn("skipped: python3 is not there to read the Python examples");

describe.each(examples)("$type: $title", ({ engine, type, input }) => {
  test("the JSON is the example", () => {
    expect(JSON.parse(asJson(input))).toEqual(JSON.parse(JSON.stringify(input)));
    expect(blocks).toContain(asJson(input));
  });

  test.skipIf(!hasPython)("the Python is the example", () => {
    const code = asPython(engine, type, input);
    expect(blocks).toContain(code);
    const program = `import json\ndef call(*parts):\n    return json.dumps(parts)\n${code}`;
    const { stdout, stderr } = spawnSync("python3", ["-c", program], { encoding: "utf8" });
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toEqual([engine, type, JSON.parse(JSON.stringify(input))]);
  });
});

test("the TypeScript of an example means what the example means to its engine", () => {
  const calls = blocks.filter((code) => code.startsWith("const output"));
  expect(calls).toHaveLength(examples.length);
  const read = calls.map((code) => {
    const call = code.replace(/^const output = await engine\.call/, "return (...parts) => parts;");
    const parts = new Function("take", `return take${code.slice(code.indexOf("("))}`);
    expect(call).not.toBe(code);
    return parts((...given: unknown[]) => given) as [string, string, unknown];
  });
  for (const [index, { engine, name, input }] of examples.entries()) {
    const definition = engines.find(({ contract }) => contract.engine === engine)?.definition;
    const schema = definition?.actions[name]?.input;
    const [calledEngine, calledAction, typed] = read[index] ?? [];
    expect([calledEngine, calledAction]).toEqual([engine, name]);
    expect(schema?.parse(typed)).toEqual(schema?.parse(input));
  }
});

test.skipIf(!hasPython)("the Python program that they begin with is Python", () => {
  expect(blocks).toContain(PYTHON_CALL);
  const program = "import ast, sys; ast.parse(sys.stdin.read())";
  const { status, stderr } = spawnSync("python3", ["-c", program], {
    input: PYTHON_CALL,
    encoding: "utf8",
  });
  expect([status, stderr]).toEqual([0, ""]);
});

test("literals of each language", () => {
  const value = { "a-b": null, c: true, d: [], e: {}, f: 'a"\n', g: "x".repeat(90) };
  expect(asPython("e", "t", value)).toContain(
    `"a-b": None,\n    "c": True,\n    "d": [],\n    "e": {},`,
  );
  expect(asTypeScript("e", "t", value)).toContain(`"a-b": null,\n  c: true,\n  d: [],\n  e: {},`);
});

test("colours change no text", () => {
  for (const code of [...blocks, 'a = "b # c" # d "e"', '{"k": "<v>", "n": -1.5e3}'])
    expect(plain(coloured(code).text)).toBe(code);
});
