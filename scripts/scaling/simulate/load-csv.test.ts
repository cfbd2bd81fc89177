/** A load from a CSV file, and each way in which a row can be wrong. */
import { expect, test } from "vitest";
import { BadInput } from "./bad-input.ts";
import { exampleEngine } from "./example-engine.ts";
import { loadFromCsv } from "./load-csv.ts";

const ENGINES = ["activities", "analytics"];
const read = (text: string) => loadFromCsv("load.csv", ENGINES, text);
const messageOf = (text: string) => {
  try {
    read(text);
  } catch (error) {
    expect(error).toBeInstanceOf(BadInput);
    return (error as BadInput).message;
  }
  return "no error";
};

test("rows last until the next one, the last as long as the one before it", () => {
  const load = read("seconds,jobs\n0,600\n60,0\n90,300\n");
  expect(load.durationS).toBe(120);
  const engine = exampleEngine({ share: 0.5 });
  expect([0, 59, 60, 89, 90, 119, 0].map((atS) => load.rate(engine, atS))).toEqual([
    5, 5, 0, 0, 5, 5, 5,
  ]);
});

test("columns may be engines; one without a column gets nothing", () => {
  const load = read("\ufeffseconds, analytics\r\n0,60\r\n60,120.5\r\n\r\n");
  expect(load.rate(exampleEngine({ name: "analytics", share: 0.1 }), 0)).toBe(1);
  expect(load.rate(exampleEngine(), 0)).toBe(0);
});

test.each([
  ["", "load.csv:1:1: the first line"],
  ["time,jobs\n0,1\n1,1", "load.csv:1:1: the first line"],
  ["seconds\n0\n1", "load.csv:1:1: the first line"],
  [
    "seconds,activities,mail\n0,1,1\n1,1,1",
    'load.csv:1:20: "mail" is no engine; there are activities, analytics',
  ],
  ["seconds,activities,activities\n0,1,1\n1,1,1", 'load.csv:1:20: "activities" stands here twice'],
  ["seconds,jobs\n0,1\n", "load.csv: at least two rows"],
  ["seconds,jobs\n0,1\n60\n", "load.csv:3:1: 2 cells are needed (seconds,jobs), not 1"],
  ["seconds,jobs\n0,1\n60,1,2\n", "load.csv:3:1: 2 cells are needed"],
  ["seconds,jobs\n0,1\n60,many\n", 'load.csv:3:4: "many" is no number'],
  ["seconds,jobs\n0,1\n60,-5\n", 'load.csv:3:4: "-5" is no number'],
  ["seconds,jobs\n0,1\n60,\n", 'load.csv:3:4: "" is no number'],
  ["seconds,jobs\n0,1\n60,1e999\n", 'load.csv:3:4: "1e999" is no number'],
  ["seconds,jobs\n0,1\n\n60,1\n", "load.csv:3:1: 2 cells are needed"],
  ["seconds,jobs\n0,1\n1.5,1\n", "load.csv:3:1: seconds must be whole, not 1.5"],
  ["seconds,jobs\n5,1\n60,1\n", "load.csv:2:1: the first row begins at second 0, not 5"],
  ["seconds,jobs\n0,1\n60,1\n60,2\n", "load.csv:4:1: seconds must rise, and 60 comes after 60"],
  ["seconds,jobs\n0,1\n9999999,1\n", "load.csv:3:1: the load lasts 19999998 s"],
])("%j is refused", (text, message) => {
  expect(messageOf(text)).toContain(message);
});

test("a file that is not there is named", () => {
  expect(() => loadFromCsv("no/such.csv", ENGINES)).toThrow(
    "LOAD: no/such.csv can't be read (ENOENT)",
  );
});
