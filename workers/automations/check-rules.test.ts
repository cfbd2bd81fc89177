/** `make rules-check`: each problem with its line, of JSON and YAML, and the schema that editors use. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { checkRules } from "./check-rules.ts";
import { SAMPLE_RULES } from "./sample-job.ts";
import { ruleFileSchema } from "./schemas/rule.ts";

const linesOf = (text: string) =>
  checkRules(text).problems.map(
    ({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`,
  );

test("good rules have no problem, wrapped or bare, as JSON or YAML", () => {
  expect(checkRules(JSON.stringify({ rules: SAMPLE_RULES }))).toEqual({ rules: 3, problems: [] });
  expect(checkRules(JSON.stringify(SAMPLE_RULES, null, 2))).toEqual({ rules: 3, problems: [] });
  const yaml = "- id: a\n  trigger: {on: item.created}\n  actions:\n    - type: archive\n";
  expect(checkRules(yaml)).toEqual({ rules: 1, problems: [] });
});

const BAD = `{
  "rules": [
    {
      "id": "one",
      "trigger": { "on": "item.updated" },
      "conditions": {
        "all": [
          { "field": "priority", "op": "equal", "value": "urgent" },
          { "field": "lables", "op": "contains", "value": "bug" }
        ]
      },
      "actions": [{ "type": "comment" }]
    },
    { "id": "one", "trigger": { "on": "item.created" }, "actions": [{ "type": "archive" }], "nmae": "x" }
  ]
}`;

test("each problem stands in its line, with what was likely meant", () => {
  expect(linesOf(BAD)).toEqual([
    '8:34 rules[0].conditions.all[0].op: is "equal"; did you mean equals?',
    '9:13 rules[0].conditions.all[1].field: is "lables"; did you mean labels?',
    "12:19 rules[0].actions[0].text: must be a text of 1 to 5000 characters",
    '14:93 rules[1].nmae: there is no key "nmae" here; did you mean name?',
  ]);
});

test.each([
  ["{", /^1:/],
  ['{"rules": [{"id": 1,, }]}', /^1:/],
  ['{"rules": [{"id": "a", "id": "b"}]}', /^1:24 : Map keys must be unique/],
  ["", /must be \{"rules": \[…\]\}, or a list/],
  ["7", /must be \{"rules": \[…\]\}, or a list/],
  ['{"rules": {}}', /or a list/],
  [JSON.stringify(Array(1_001).fill(SAMPLE_RULES[0])), /there are 1001 rules/],
  [
    `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nrules: [*c,*c,*c,*c,*c]`,
    /alias/,
  ],
  [`${"[".repeat(5_000)}`, /./],
  ["rules: [{id: a, trigger: {on: item.created}, actions: [!!js/function 'x']}]", /tag|actions/],
])("what is no file of rules is told: %#", (text, message) => {
  const { rules } = checkRules(text);
  expect(rules).toBe(0);
  expect(linesOf(text).join("\n")).toMatch(message);
});

test("the schema for editors is the engine's own, and takes what it takes", () => {
  const file = join(import.meta.dirname, "rules.schema.json");
  if (process.env.UPDATE_RULES_SCHEMA)
    writeFileSync(file, `${JSON.stringify(ruleFileSchema(), null, 2)}\n`);
  const written = JSON.parse(readFileSync(file, "utf8"));
  expect(written, "UPDATE_RULES_SCHEMA=1 writes it anew").toEqual(ruleFileSchema());
  const validate = new Ajv2020({ allowUnionTypes: true }).compile(ruleFileSchema());
  expect(validate({ rules: SAMPLE_RULES })).toBe(true);
  expect(validate(JSON.parse(BAD))).toBe(false);
});

test("the command says so, and its exit status", () => {
  const folder = mkdtempSync(join(tmpdir(), "rules-"));
  const run = (file: string, input = "") =>
    spawnSync(process.execPath, [join(import.meta.dirname, "rules-check.ts")], {
      env: { PATH: process.env.PATH, FILE: file },
      encoding: "utf8",
      input,
    });
  try {
    const file = join(folder, "rules.json");
    writeFileSync(file, BAD);
    const bad = run(file);
    expect(bad.status).toBe(1);
    expect(bad.stdout).toContain(
      `${file}:9:13  rules[0].conditions.all[1].field: is "lables"; did you mean labels?`,
    );
    expect(bad.stdout).toMatch(/rules-check: rules=0 problems=4\n$/);
    const good = run("-", JSON.stringify(SAMPLE_RULES));
    expect([good.status, good.stdout]).toEqual([0, "rules-check: rules=3 problems=0\n"]);
    expect(run("-", '[{"id": 1, "\\u001b[31m": 2}]').stdout).not.toContain("\u001b");
    expect(run("").status).toBe(2);
    expect(run(join(folder, "none.json"))).toMatchObject({ status: 2, stdout: "" });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
