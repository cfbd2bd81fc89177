/** What `make check` makes of npm's advisories, with a stand-in for npm: the real list changes daily. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { judge, type Report } from "./advisories.ts";

const advisory = (id: string, severity: string) => ({
  name: "left-pad",
  title: "pads to the right",
  url: `https://github.com/advisories/${id}`,
  severity,
});
const report = (...via: Report["vulnerabilities"][string]["via"]): Report => ({
  vulnerabilities: { "left-pad": { via }, parent: { via: ["left-pad"] } },
});

describe("judge", () => {
  const now = new Date("2026-06-01");

  test("high and critical are bad, others are told, each once", () => {
    const { bad, told } = judge(
      report(
        advisory("A", "high"),
        advisory("B", "critical"),
        advisory("C", "moderate"),
        advisory("A", "high"),
      ),
      [],
      now,
    );
    expect(bad).toEqual([
      "left-pad: high: pads to the right (https://github.com/advisories/A)",
      "left-pad: critical: pads to the right (https://github.com/advisories/B)",
    ]);
    expect(told).toHaveLength(1);
  });

  test("an accepted one is told with its reason until its day", () => {
    const accepted = (until: string) => [{ id: "A", why: "only tests pad", until }];
    const high = report(advisory("A", "high"));
    expect(judge(high, accepted("2026-06-02"), now)).toMatchObject({
      bad: [],
      told: [expect.stringMatching(/accepted: only tests pad$/)],
    });
    expect(judge(high, accepted("2026-06-01"), now).bad).toHaveLength(1);
    expect(judge(report(advisory("AA", "high")), accepted("2026-06-02"), now).bad).toHaveLength(1);
  });
});

describe("audit.ts", () => {
  function audit(npm: string | undefined) {
    const folder = mkdtempSync(join(tmpdir(), "audit-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    if (npm !== undefined)
      writeFileSync(join(folder, "npm"), `#!/bin/sh\n${npm}\n`, { mode: 0o755 });
    const script = join(import.meta.dirname, "audit.ts");
    return spawnSync(process.execPath, [script], {
      encoding: "utf8",
      env: { PATH: folder },
    });
  }

  test("fails on a high one", () => {
    const { status, stdout } = audit(
      `echo '${JSON.stringify(report(advisory("A", "high")))}'; exit 1`,
    );
    expect(stdout).toContain("left-pad: high: pads to the right");
    expect(stdout).toContain("audit: bad=1 told=0");
    expect(status).toBe(1);
  });

  test("passes where there is none", () => {
    expect(audit(`echo '{"vulnerabilities":{}}'`)).toMatchObject({
      status: 0,
      stdout: "audit: bad=0 told=0\n",
    });
  });

  test.each([
    [
      "a registry that refuses",
      `echo '{"message":"405 Method Not Allowed"}'; exit 1`,
      "405 Method Not Allowed",
    ],
    ["no network", `echo '{"error":{"summary":"getaddrinfo ENOTFOUND"}}'; exit 1`, "ENOTFOUND"],
    ["an npm that can't", `echo 'npm error code E' >&2; exit 1`, "npm error code E"],
    ["no npm", undefined, "ENOENT"],
  ])("%s is a word, not a failure", (_why, npm, said) => {
    const { status, stdout } = audit(npm);
    expect(stdout).toContain("can't be asked for advisories");
    expect(stdout).toContain(said);
    expect(status).toBe(0);
  });
});
