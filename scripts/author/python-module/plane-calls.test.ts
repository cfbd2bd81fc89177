/** Plane's own calls, through the code of docs/contract/celery.md and the module, make what Plane wrote. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestFleet, type TestFleet } from "../../../shared/testing/fleet.ts";
import { compare } from "../../operate/compare-activities/compare.ts";
import { readEntries } from "../../operate/compare-activities/entries.ts";
import { differencesOf } from "../../operate/compare-activities/report.ts";
import { loadWorkers } from "../../workers.ts";
import { hasPython, MODULE_FOLDER, runPython } from "./python.ts";

interface Call {
  call: { type: string; requested_data: string | null };
  lookups: object;
  additions?: object;
  expected: { verb: string; field: string | null }[];
  subscribers?: string[];
}

const shared =
  process.env.TL_DATA_DIR ?? fileURLToPath(new URL("../../../../shared/data", import.meta.url));
const file = join(shared, "plane-calls.ndjson");
if (!existsSync(file)) console.warn(`skipped: Plane's calls are not at ${file} (set TL_DATA_DIR)`);

const id = (n: number) => `00000000-0000-4000-8000-00000000000${n}`;
/** One of ours, for where Plane's are not: a label's name is absent, and a title looks like JSON. */
const own: Call = {
  call: {
    type: "issue.activity.updated",
    ...{ issue_id: id(1), project_id: id(2), actor_id: id(3), epoch: 1_767_611_354 },
    requested_data: JSON.stringify({
      name: "[WIP] {1",
      state_id: id(4),
      label_ids: [id(5), id(6)],
    }),
    ...{ current_instance: JSON.stringify({ name: "x", state_id: id(7), label_ids: [] }) },
  },
  lookups: {
    states: { [id(4)]: { name: "Done", group: "completed" }, [id(7)]: { name: "Todo" } },
    labels: { [id(5)]: { name: "bug" } },
  },
  expected: [
    ["name", "x", "[WIP] {1", null, null],
    ["state", "Todo", "Done", id(7), id(4)],
    ["labels", "", "bug", null, id(5)],
    ["labels", "", "", null, id(6)],
  ].map(([field, old_value, new_value, old_identifier, new_identifier]) => ({
    ...{ issue_id: id(1), verb: "updated", field: field as string, old_value, new_value },
    ...{ old_identifier, new_identifier, actor_id: id(3), epoch: 1_767_611_354 },
  })),
};

/** In the place of Plane's models: rows out of the look-ups of the call in hand. */
const MODELS = `
lookups = {}

class Rows(list):
    def values_list(self, *columns):
        return [tuple(row[column] for column in columns) for row in self]
    def order_by(self, *_):
        return self
    def first(self):
        return None

class Manager:
    def __init__(self, kind):
        self.kind = kind
    def filter(self, id__in=(), issue_id=None):
        found = lookups.get(self.kind, {})
        return Rows(row_of(id, found[id]) for id in id__in if id in found)

def row_of(id, known):
    identifier, _, number = known["name"].rpartition("-")
    return {"id": id, "name": known["name"], "display_name": known["name"], "value": known["name"],
            "group": known.get("group"), "estimate__type": known.get("type", "points"),
            "project__identifier": identifier, "sequence_id": number}

def model(kind):
    return type(kind, (), {"objects": Manager(kind)})

State, Label, User, EstimatePoint = model("states"), model("labels"), model("users"), model("estimates")
Issue, Cycle, Module, IssueActivity = model("issues"), model("cycles"), model("modules"), model("none")
`;

const page = readFileSync(join(MODULE_FOLDER, "../celery.md"), "utf8");
const [, code = ""] =
  /```python\n(# plane\/bgtasks\/tl_activity\.py\n[\s\S]*?)```/.exec(page) ?? [];

describe.skipIf(!hasPython)("through the page's code", () => {
  let fleet: TestFleet;
  let folder: string;
  beforeAll(async () => {
    const workers = await loadWorkers();
    const activities = workers.find(({ definition }) => definition.name === "activities");
    if (!activities) throw new Error("there is no engine activities");
    fleet = await openTestFleet([activities.definition]);
    await fleet.start(activities.definition);
    folder = mkdtempSync(join(tmpdir(), "plane-"));
    mkdirSync(join(folder, "plane/db"), { recursive: true });
    writeFileSync(join(folder, "plane/db/models.py"), MODELS);
    writeFileSync(join(folder, "tl_activity.py"), code);
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await fleet?.close();
  });

  /** The outputs of the calls, in order. */
  async function record(calls: Call[]): Promise<{ subscribersAdded: string[] }[]> {
    const path = join(folder, "calls.json");
    writeFileSync(path, JSON.stringify(calls));
    const shown = await runPython(
      `
sys.path.insert(0, ${JSON.stringify(folder)})
import plane.db.models as models
from tl_activity import change_set
with client() as engine:
    for line in json.load(open(${JSON.stringify(path)})):
        models.lookups = line["lookups"]
        call = {**line["call"], **line.get("additions", {})}
        show({**engine.call("activities", "record", change_set(call)), "type": call["type"]})
`,
      {
        ...{ amqp_url: fleet.config.AMQP_URL, prefix: fleet.names.prefix },
        app_id: `${fleet.names.prefix}x`,
      },
    );
    return shown as { subscribersAdded: string[] }[];
  }

  async function differences(calls: Call[]) {
    const outputs = await record(calls);
    const lines = (name: string, rows: object[]) => {
      const path = join(folder, name);
      writeFileSync(path, rows.map((row) => JSON.stringify(row)).join("\n"));
      return readEntries(path);
    };
    const rows = calls.flatMap(rightRows);
    const comparison = compare(
      await lines("rows.ndjson", rows),
      await lines("entries.ndjson", outputs),
    );
    return { rows, outputs, comparison };
  }

  test("a call of ours", async () => {
    const { comparison } = await differences([own]);
    // What is not there any more has no name, which the table of the page tells.
    expect(differencesOf(comparison).map(({ columns }) => columns)).toEqual([["new_value"]]);
    expect(comparison).toMatchObject({ plane: 4, engine: 4 });
  });

  test.skipIf(!existsSync(file))("all of Plane's", async () => {
    const lines = readFileSync(file, "utf8").trim().split("\n");
    const calls = lines.map((line): Call => JSON.parse(line));
    const { comparison, outputs, rows } = await differences(calls);
    expect(differencesOf(comparison)).toEqual([]);
    expect(rows.length).toBeGreaterThan(calls.length / 2);
    calls.forEach(({ subscribers }, index) => {
      if (subscribers) expect(outputs[index]?.subscribersAdded).toEqual(subscribers.toSorted());
    });
  });
});

/** Plane takes the creator from the item's row, which its API mends only after it has sent the message. */
function rightRows({ call, expected }: Call): object[] {
  const creator = JSON.parse(call.requested_data ?? "null")?.created_by;
  return expected.map((entry) =>
    entry.verb === "created" && entry.field === null && creator
      ? { ...entry, actor_id: creator }
      : entry,
  );
}
