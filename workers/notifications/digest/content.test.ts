/** What a digest says, in both languages and both forms, and that no text can do anything but be read. */
import { caniemail } from "caniemail";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cleanText, textOfHtml } from "./clean-text.ts";
import { type MailEntry, shorten } from "./entry.ts";
import { renderHtml } from "./render-html.ts";
import { renderText } from "./render-text.ts";
import { entryOf, SAMPLE } from "./sample-entries.fixture.ts";
import { type Links, viewDigest } from "./view.ts";

const NOW = Date.parse("2026-05-05T08:20:00Z");
const LINKS: Links = {
  issueUrl: "https://app.example.com/{workspaceId}/browse/{issueKey}",
  settingsUrl: "https://app.example.com/settings",
  unsubscribeUrl: "https://app.example.com/u?token=abc.def",
};
const NO_LINKS: Links = { issueUrl: undefined, settingsUrl: undefined, unsubscribeUrl: undefined };

function mailOf(entries: readonly MailEntry[], locale = "en", links = LINKS) {
  const view = viewDigest(entries.map(shorten), { locale, timeZone: "Europe/Madrid" }, links, NOW);
  const { length } = view.items;
  return { view, html: renderHtml(view, length), text: renderText(view, length) };
}
const linesOf = (entries: readonly MailEntry[], locale = "en") =>
  mailOf(entries, locale, NO_LINKS)
    .text.split("\n")
    .filter((line) => line.startsWith("  - "))
    .map((line) => line.slice(4));
/** What a reader sees. */
const seen = (html: string) =>
  textOfHtml(html.replace(/<title>.*<\/title>/, "").replaceAll("\u200b", ""), 1e6);

describe("in Spanish and English", () => {
  test("text: item, person, field, with reasons, times of the reader's zone, and links", () => {
    expect(mailOf(SAMPLE, "es").text).toBe(`10 novedades en 4 elementos de trabajo

TL-40 Manual de reposición para las tiendas de Centroamérica (porque te mencionaron)
https://app.example.com/w1/browse/TL-40
  Leo · 10:08
  - Te mencionó: «@Inés ¿lo miras antes del viernes?»

TL-7 Renovar el certificado (porque eres responsable)
https://app.example.com/w1/browse/TL-7
  Vence mañana, 6 may 2026

TL-12 El pago con tarjeta falla en Safari (porque eres responsable)
https://app.example.com/w1/browse/TL-12
  Ana Ñúñez · 10:06
  - Estado: Por hacer → En curso
  - Prioridad: Media → Urgente
  - Etiquetas: +pagos, +safari, −sin clasificar
  - Vencimiento: — → 8 may 2026
  Leo · 10:07
  - Comentó: «Lo reproduzco en iOS 19: el iframe del banco no recibe la cookie. ¿Alguien sabe si lo cambiaron ellos?»

TL-99 Exportación https://example.com/una/ruta/larguisima/sin/espacios/que/no/se/parte/nunca?x=1234567890123456789012345678901234567890 (porque lo sigues)
https://app.example.com/w1/browse/TL-99
  Ana Ñúñez · 10:11
  - Título: Exportar → Exportación_de_todos_los_pedidos_de_todas_las_tiendas_de_todos_los_paises_en_un_fichero
  - Editó la descripción

-- 
Es un resumen automático de los elementos de trabajo que te conciernen.
Cambiar cuándo y de qué recibo correos: https://app.example.com/settings
No recibir más estos correos: https://app.example.com/u?token=abc.def
`);
  });

  test("HTML says the same as text", () => {
    for (const locale of ["es", "en"]) {
      const { html, text } = mailOf(SAMPLE, locale, NO_LINKS);
      const words = (said: string) =>
        new Set(
          said
            .replace(/[()\-–−+:,«»·—→]/g, " ")
            .split(/\s+/)
            .filter(Boolean),
        );
      expect(words(seen(html))).toEqual(words(text));
    }
  });

  test.each([
    ["es", 1, "TL-12 El pago con tarjeta falla en Safari: 1 novedad"],
    ["en", 2, "TL-12 El pago con tarjeta falla en Safari: 2 updates"],
    ["fr", 2, "TL-12 El pago con tarjeta falla en Safari: 2 novedades"],
    ["en-GB", 1, "TL-12 El pago con tarjeta falla en Safari: 1 update"],
  ])("the subject of one item, %s", (locale, count, subject) => {
    const entries = Array.from({ length: count }, () => entryOf());
    expect(mailOf(entries, locale).view.subject).toBe(subject);
  });

  test("the subject of a reminder alone, and of several", () => {
    const due = (issueId: string, newValue: string) =>
      entryOf({
        issueId,
        reason: "due",
        field: "due",
        newValue,
        issueKey: "A-1",
        issueName: "Pay",
      });
    expect(mailOf([due("i", "2026-05-05")]).view.subject).toBe("A-1 Pay: Due today, 5 May 2026");
    expect(mailOf([due("i", "2026-05-04")]).view.subject).toBe("A-1 Pay: Was due on 4 May 2026");
    expect(mailOf([due("i", "2026-05-06"), due("j", "2026-05-09")]).view.subject).toBe(
      "2 work items are due soon",
    );
  });
});

describe("what happened several times is told once", () => {
  test.each<[string, Partial<MailEntry>[], string[]]>([
    [
      "a single value: first and last",
      [
        { oldValue: "Todo", newValue: "Doing" },
        { oldValue: "Doing", newValue: "Done" },
      ],
      ["State: Todo → Done"],
    ],
    [
      "what came and went is no news",
      [
        { field: "labels", oldValue: "", newValue: "bug" },
        { field: "labels", oldValue: "bug", newValue: "" },
        { field: "labels", oldValue: "", newValue: "ui" },
      ],
      ["Labels: +ui"],
    ],
    [
      "a cleared date",
      [{ field: "target_date", oldValue: "2026-05-05", newValue: "" }],
      ["Due date: 5 May 2026 → —"],
    ],
    [
      "an estimate of any scale",
      [{ field: "estimate_points", oldValue: null, newValue: "3" }],
      ["Estimate: — → 3"],
    ],
    [
      "a description",
      [{ field: "description", oldValue: "<p>a", newValue: "<p>b" }],
      ["Edited the description"],
    ],
    [
      "a comment's end",
      [{ field: "comment", verb: "deleted", oldValue: "x", newValue: "" }],
      ["Changed or deleted a comment"],
    ],
    [
      "a creation",
      [{ field: null, verb: "created", oldValue: null, newValue: null }],
      ["Created this work item"],
    ],
    [
      "a restore",
      [{ field: "archived_at", oldValue: "archive", newValue: "restore" }],
      ["Restored this work item"],
    ],
    [
      "a relation",
      [{ field: "blocked_by", oldValue: "", newValue: "TL-9" }],
      ["Blocked by: +TL-9"],
    ],
    [
      "a field that nobody knows",
      [{ field: "new_thing", oldValue: "", newValue: "x" }],
      ["New thing: +x"],
    ],
    [
      "a field of the prototype",
      [{ field: "constructor", oldValue: "", newValue: "x" }],
      ["Constructor: +x"],
    ],
    [
      "many values",
      Array.from({ length: 8 }, (_, i) => ({ field: "labels", oldValue: "", newValue: `l${i}` })),
      ["Labels: +l0, +l1, +l2, +l3, +l4, +and 3 more"],
    ],
  ])("%s", (_, entries, lines) => {
    expect(linesOf(entries.map(entryOf))).toEqual(lines);
  });

  test("one reminder, however often it was asked for", () => {
    const due = { reason: "due", field: "due", oldValue: null };
    const { text } = mailOf([
      entryOf({ ...due, newValue: "2026-05-06" }),
      entryOf({ ...due, newValue: "2026-05-07" }),
    ]);
    expect(text.match(/Due /g)).toHaveLength(1);
    expect(text).toContain("Due on 7 May 2026");
  });

  test("a person in three roles sees the item once, by the strongest", () => {
    const { view } = mailOf(
      ["subscribed", "assigned", "mentioned"].map((reason) => entryOf({ reason })),
    );
    expect(view.items).toHaveLength(1);
    expect(view.items[0]?.why).toBe("because you were mentioned");
  });
});

describe("without a base URL, a name, a key", () => {
  test("there is no link, and nothing that looks like one", () => {
    const { html, text } = mailOf(SAMPLE, "en", NO_LINKS);
    expect(html).not.toMatch(/<a |href|undefined|null/);
    expect(text).not.toMatch(/undefined|null/);
  });

  test("somebody changed something untitled", () => {
    const { text } = mailOf([entryOf({ issueKey: null, issueName: "", actorName: " \u0000" })]);
    expect(text).toContain("(untitled) (because you are assigned)\n");
    expect(text).toContain("  Somebody · ");
  });
});

describe("hostile text", () => {
  const HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title><b>",
    "<".repeat(20_000),
    "<p".repeat(9_000),
    "&#0;&#x110000;&lt;script&gt;",
    "a\r\nBcc: all@example.com\r\n\r\nhello",
    "\u202eevil\u2066\u2069",
    "\ud800 lone \udc00",
    "\u0000\u0007\u001b[31mred",
    "😀".repeat(5_000),
    "{issueId}$&$1`",
    "{{7*7}}#{7*7}<%= 7*7 %>",
    "javascript:alert(1)",
    "x".repeat(2_000_000),
    "-- \nsignature",
    "=?utf-8?B?QUJD?=",
    "zalgo\u0301".repeat(3_000),
    "%0d%0aSet-Cookie: a=b",
    "\u2028\u2029\ufeff",
  ];

  test.each(HOSTILE.map((text, i) => [i, text] as const))(
    "number %i is shown, and does nothing",
    (_, text) => {
      for (const field of ["state", "labels", "comment", "name", "description"]) {
        const started = performance.now();
        const {
          html,
          text: plain,
          view,
        } = mailOf([
          entryOf({
            field,
            issueName: text,
            issueKey: text,
            actorName: text,
            oldValue: text,
            newValue: text,
            issueId: text.slice(0, 255),
            workspaceId: text.slice(0, 255),
          }),
        ]);
        expect(performance.now() - started).toBeLessThan(500);
        const tags = new Set([...html.matchAll(/<\/?([a-z0-9]+)/gi)].map(([, tag]) => tag));
        const ours = [
          "html",
          "head",
          "meta",
          "title",
          "table",
          "tr",
          "td",
          "p",
          "a",
          "b",
          "s",
          "br",
          "span",
        ];
        expect([...tags].filter((tag) => !ours.includes(String(tag)))).toEqual([]);
        expect((html.match(/<[^>]*>/g) ?? []).join("")).not.toMatch(
          / on[a-z]+=|href="(?!https:\/\/app\.example\.com\/)/,
        );
        expect(view.subject).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
        expect(plain.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
        expect(html.isWellFormed() && plain.isWellFormed() && view.subject.isWellFormed()).toBe(
          true,
        );
        expect(Buffer.byteLength(html)).toBeLessThan(20_000);
      }
    },
  );

  test("any text at all comes out as it went in, cleaned", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (name) => {
        const { html } = mailOf([entryOf({ issueName: name, issueKey: "K" })], "en", NO_LINKS);
        const [, shown = ""] = /<b>(.*?)<\/b>/s.exec(html) ?? [];
        expect(textOfHtml(shown.replaceAll("\u200b", ""), 1_000)).toBe(
          cleanText(name, 160).replaceAll("\u200b", ""),
        );
      }),
    );
  });
});

test("gmail, outlook and apple-mail show all of it: caniemail has no error", () => {
  const clients = ["gmail.*", "outlook.*", "apple-mail.*"] as const;
  for (const html of [mailOf(SAMPLE).html, mailOf(SAMPLE, "es", NO_LINKS).html]) {
    const { issues, success } = caniemail({ clients: [...clients], html });
    expect([...issues.errors.values()].flat().map(({ title }) => title)).toEqual([]);
    expect(success).toBe(true);
  }
});
