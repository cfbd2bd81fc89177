/** What counts as a mention: as a browser reads HTML, and in time whatever the text. */
import { atOnce, inTurns } from "@tl-engine/shared";
import { watchTurns } from "@tl-engine/shared/testing/longest-turn";
import fc from "fast-check";
import { Parser } from "htmlparser2";
import { describe, expect, test, vi } from "vitest";
import { CEILINGS } from "../schemas/vocabulary.ts";
import { mentionsIn } from "./mentions.ts";
import { mention } from "./told.fixture.ts";

vi.setConfig({ testTimeout: 60_000 });

const idsIn = (html: string | null) => [...atOnce(mentionsIn(html)).ids];
const tag = (attributes: string) => `<mention-component ${attributes}>`;
const person = 'entity_name="user_mention"';

test.each([
  ["nothing", null, []],
  ["an empty text", "", []],
  ["no tag", "mention-component entity_identifier=a", []],
  ["its text is no id", mention("a").replace("></", ">b</"), ["a"]],
  ["capitals", mention("Ana").replaceAll("mention-component", "MENTION-Component"), ["Ana"]],
  ["capitals in attributes", tag(`ENTITY_IDENTIFIER="a" ${person}`), ["a"]],
  ["single quotes", tag("entity_identifier='a' entity_name='user_mention'"), ["a"]],
  ["no quotes", tag("entity_identifier=a entity_name=user_mention"), ["a"]],
  ["closed by itself", `<mention-component entity_identifier="a" ${person}/>`, ["a"]],
  ["the other order", tag(`${person} entity_identifier="a"`), ["a"]],
  ["an item's mention", mention("a", "issue_mention"), []],
  ["without a kind", tag('entity_identifier="a"'), []],
  ["without an id", tag(person), []],
  ["an empty id", mention(""), []],
  ["an id of 255", mention("a".repeat(255)), ["a".repeat(255)]],
  ["an id of 256", mention("a".repeat(256)), []],
  ["an id with NUL", mention("a\0b"), []],
  ["entities", mention("a&amp;b&#x2f;c"), ["a&b/c"]],
  ["an attribute twice", tag(`entity_identifier="a" entity_identifier="b" ${person}`), ["a"]],
  ["twice", mention("b") + mention("a") + mention("b"), ["b", "a"]],
  ["another tag", mention("a").replaceAll("mention-component", "mention-components"), []],
  ["an attribute that only begins so", tag(`entity_identifier_="a" ${person}`), []],
  ["a comment", `<!--${mention("a")}-->`, []],
  ["a script", `<script>${mention("a")}</script>${mention("b")}`, ["b"]],
  ["a textarea", `<textarea>${mention("a")}</textarea>`, []],
  ["an attribute of another", `<p title='${mention("a")}'>`, []],
  ["a tag that never ends", `<mention-component entity_identifier="a" ${person}`, []],
  [
    "quotes that end in the next tag",
    `<mention-component entity_identifier="a ${mention("b")}`,
    ["a <mention-component entity_identifier="],
  ],
  ["HTML that never closes", `<p><b><i><table><tr>${mention("a")}`, ["a"]],
  ["a prototype's name", mention("__proto__"), ["__proto__"]],
])("%s", (_what, html, expected) => {
  expect(idsIn(html)).toEqual(expected);
});

const part = fc.oneof(
  fc.constantFrom("<", ">", "/", '"', "'", "=", " ", "&amp;", "&#0;", "<!--", "-->", "<p>", "</p>"),
  fc.constantFrom("entity_identifier", "entity_name", "user_mention", "mention-component"),
  fc.constantFrom("<mention-component ", "<script>", "</script>", "<title>", "<![CDATA[", "x"),
  fc.constantFrom("a", "b").map((id) => mention(id)),
);

test("any text is read as htmlparser2's parser reads it, in pieces too", () => {
  fc.assert(
    fc.property(fc.array(part, { maxLength: 30 }), fc.nat(40_000), (parts, pad) => {
      const html = `${" ".repeat(pad)}${parts.join("")}`;
      const expected = new Set<string>();
      const parser = new Parser({
        onopentag(name, { entity_identifier: id = "", entity_name: kind }) {
          if (name === "mention-component" && kind === "user_mention" && id !== "")
            expected.add(id);
        },
      });
      parser.end(html);
      expect(idsIn(html)).toEqual([...expected]);
    }),
    { numRuns: 1_000 },
  );
});

test("the first thousand people are taken, and that there were more is said", () => {
  const many = Array.from({ length: 10_000 }, (_, n) => mention(`u${n}`)).join("");
  const { ids, isCut } = atOnce(mentionsIn(many));
  expect([ids.size, isCut]).toEqual([CEILINGS.mentionsPerText, true]);
  expect([...ids].at(-1)).toBe(`u${CEILINGS.mentionsPerText - 1}`);
  const again = Array.from({ length: 10_000 }, (_, n) => mention(`u${n % 1_000}`)).join("");
  expect(atOnce(mentionsIn(again)).isCut).toBe(false);
});

describe("texts that are made to be slow", () => {
  const MAX = CEILINGS.htmlCharacters;
  const fill = (piece: string, end = "") =>
    piece.repeat(Math.floor((MAX - end.length) / piece.length)) + end;
  const x = mention("x");

  test.each([
    ["deeply nested", fill("<b>", x), ["x"]],
    [
      "nested, and closed in the wrong order",
      `${"<b>".repeat(300_000)}${"</i>".repeat(200_000)}${x}`,
      ["x"],
    ],
    ["plain", fill("<p>hello world</p>", x), ["x"]],
    ["one long attribute's name", fill("a", "").replace(/^a{19}/, "<mention-component "), []],
    [
      "one long value",
      `<mention-component entity_identifier="${"a".repeat(MAX - 60)}" ${person}>`.slice(0, MAX),
      [],
    ],
    [
      "quotes that never end",
      `<mention-component entity_identifier="${fill("<mention-component ").slice(0, MAX - 40)}`,
      [],
    ],
    [
      "200,000 attributes",
      `<mention-component ${Array.from({ length: 200_000 }, (_, n) => `a${n}=1`)
        .join(" ")
        .slice(0, MAX - 99)} entity_identifier="x" ${person}>`,
      ["x"],
    ],
    ["the same attribute", `<mention-component ${'entity_name="u" '.repeat(120_000)}>`, []],
    ["entities", `${x}${"&amp;".repeat(380_000)}`, ["x"]],
    ["broken entities", `${x}${"&amp".repeat(380_000)}`, ["x"]],
    ["only <", fill("<", x), ["x"]],
    ["only <!--", fill("<!--", x), []],
    ["only </", fill("</", x), []],
    ["scripts that don't end", fill("<script>", x), []],
    ["empty mentions", fill("<mention-component>"), []],
  ])("%s: read in turns", async (_what, html, expected) => {
    const longestMs = watchTurns();
    const startMs = performance.now();
    const { ids } = await inTurns(mentionsIn(html), new AbortController().signal);
    expect([...ids]).toEqual(expected);
    expect(longestMs()).toBeLessThan(250);
    expect(performance.now() - startMs).toBeLessThan(20_000);
  });
});
