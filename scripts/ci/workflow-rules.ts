/** What we ask of workflows beyond actionlint: pins, least rights, and nothing of a stranger's in a script. */
import { isMap, isScalar, LineCounter, type Node, parseDocument, type YAMLMap } from "yaml";
import type { Problem } from "../kubernetes/read/documents.ts";
import { MAY_WRITE } from "./least-rights.ts";

const PINNED_ACTION = /^[\w.-]+\/[\w./-]+@[0-9a-f]{40}$/;
const PINNED_IMAGE = /^[^@\s]+:[^@\s]+@sha256:[0-9a-f]{64}$/;
const VERSION = /^\s*v\d+\.\d+\.\d+\s*$/;
/** Events whose workflow has the rights of main while a stranger chooses what is in it. */
const STRANGERS = ["pull_request_target", "workflow_run", "issue_comment"];

/** The text of one workflow, and a way to say where in it something is wrong. */
interface Workflow {
  name: string;
  root: YAMLMap;
  jobs: [string, YAMLMap][];
  say: (rule: string, at: Node | undefined, message: string, fix: string) => void;
}

/** Problems of one workflow file. */
export function workflowProblems(file: string, text: string): Problem[] {
  const lines = new LineCounter();
  const root = parseDocument(text, { lineCounter: lines }).contents;
  const problems: Problem[] = [];
  const say: Workflow["say"] = (rule, at, message, fix) =>
    problems.push({ file, line: lines.linePos(at?.range?.[0] ?? 0).line, rule, message, fix });
  if (!isMap(root)) {
    say("workflow", undefined, "is no workflow", "it needs on: and jobs:");
    return problems;
  }
  const jobs = root.get("jobs");
  const workflow: Workflow = {
    name: file.split("/").at(-1) ?? file,
    root,
    jobs: isMap(jobs)
      ? jobs.items.flatMap(({ key, value }) => (isMap(value) ? [[String(key), value]] : []))
      : [],
    say,
  };
  checkEvents(workflow);
  checkRights(workflow);
  for (const [, job] of workflow.jobs) checkJob(workflow, job);
  return problems;
}

function checkEvents({ root, say }: Workflow): void {
  const on = root.get("on", true) as Node | undefined;
  const events = isMap(on) ? on.items.map(({ key }) => String(key)) : String(on).split(/[^\w]+/);
  for (const event of events.filter((name) => STRANGERS.includes(name)))
    say(
      "event",
      on,
      `${event} runs with the rights of main on what a stranger sent`,
      "use pull_request",
    );
}

function checkRights({ name, root, jobs, say }: Workflow): void {
  const top = root.get("permissions", true) as Node | undefined;
  if (!isMap(top) || top.items.length > 0)
    say("rights", top, "gives rights to all jobs at once", "permissions: {}, and each job its own");
  for (const [id, job] of jobs) {
    const given = job.get("permissions", true) as Node | undefined;
    if (!isMap(given)) {
      say("rights", given ?? job, `the job ${id} does not list its rights`, "give it permissions:");
      continue;
    }
    const allowed = MAY_WRITE[`${name}/${id}`] ?? {};
    const writes = given.items.filter(({ value }) => String(value) === "write");
    for (const { key } of writes.filter((item) => !(String(item.key) in allowed)))
      say(
        "rights",
        key as Node,
        `the job ${id} may write ${key}, and nobody says why`,
        "read, or say why in scripts/ci/least-rights.ts",
      );
    for (const scope of Object.keys(allowed).filter((one) => String(given.get(one)) !== "write"))
      say(
        "rights",
        given,
        `the job ${id} does not write ${scope}`,
        "take it out of scripts/ci/least-rights.ts",
      );
  }
}

function checkJob(workflow: Workflow, job: YAMLMap): void {
  const { say } = workflow;
  const called = job.get("uses", true);
  if (called) checkUses(workflow, called as Node);
  // A job that calls a workflow takes its times and its machine from there.
  else {
    if (!job.has("timeout-minutes"))
      say("timeout", job, "could hang for six hours", "give it timeout-minutes:");
    const machine = job.get("runs-on", true) as Node | undefined;
    if (/latest/.test(String(machine)))
      say(
        "machine",
        machine,
        `${machine} becomes another one some day`,
        "name it, as ubuntu-24.04",
      );
  }
  if (String(job.get("secrets")) === "inherit")
    say("secrets", job.get("secrets", true) as Node, "hands on all secrets", "name them");
  const container = job.get("container", true) as Node | undefined;
  const image = isMap(container) ? (container.get("image", true) as Node) : container;
  if (image && !PINNED_IMAGE.test(String(image)))
    say("pins", image, `${image} can become another image`, "name:tag@sha256:…");
  const steps = (job.get("steps") as YAMLMap | undefined)?.items ?? [];
  for (const step of steps) if (isMap(step)) checkStep(workflow, job, step);
}

function checkStep(workflow: Workflow, job: YAMLMap, step: YAMLMap): void {
  const run = step.get("run", true) as Node | undefined;
  // Stricter than to know which of them a stranger can write: a name of a branch is a script, too.
  if (run && String(run).includes("${{"))
    workflow.say(
      "injection",
      run,
      "an expression becomes part of the script before a shell reads it",
      'hand it over with env:, and write "$NAME"',
    );
  const uses = step.get("uses", true) as Node | undefined;
  if (!uses) return;
  checkUses(workflow, uses);
  if (!String(uses).startsWith("actions/checkout@")) return;
  const pushes = job.getIn(["permissions", "contents"]) === "write";
  const keeps = step.getIn(["with", "persist-credentials"]) !== false;
  if (keeps && !pushes)
    workflow.say(
      "credentials",
      uses,
      "leaves the token in .git/config for all later steps",
      "with: persist-credentials: false",
    );
}

function checkUses({ say }: Workflow, uses: Node): void {
  const action = String(uses);
  if (action.startsWith("./")) return;
  if (!PINNED_ACTION.test(action)) {
    say("pins", uses, `${action} can become other code`, "name the commit: owner/name@<40 hex>");
  } else if (!isScalar(uses) || !VERSION.test(uses.comment ?? "")) {
    say("pins", uses, `${action} does not say its version`, "add it as a comment: # v1.2.3");
  }
}

/** Problems between workflows: one action at two commits, and jobs in the list of rights that do not exist. */
export function problemsBetween(texts: ReadonlyMap<string, string>): Problem[] {
  const seen = new Map<string, string>();
  const problems: Problem[] = [];
  for (const [file, text] of texts)
    for (const [index, line] of text.split("\n").entries()) {
      const [, action, commit] = /uses:\s*([^@\s]+)@(\S+\s*#?.*)$/.exec(line) ?? [];
      if (!action || !commit) continue;
      const first = seen.get(action) ?? commit;
      seen.set(action, first);
      if (first !== commit)
        problems.push({
          file,
          line: index + 1,
          rule: "pins",
          message: `${action} is ${commit} here and ${first} elsewhere`,
          fix: "use one",
        });
    }
  for (const job of Object.keys(MAY_WRITE)) {
    const [name, id = ""] = job.split("/");
    const text = [...texts].find(([file]) => file.endsWith(`/${name}`))?.[1];
    if (!text || !parseDocument(text).hasIn(["jobs", id]))
      problems.push({
        file: "scripts/ci/least-rights.ts",
        line: 1,
        rule: "rights",
        message: `${job} is no job`,
        fix: "take it out",
      });
  }
  return problems;
}
