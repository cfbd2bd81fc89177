/** Which images there are, what they are called, and where their contents come from. */
import { type ExecFileSyncOptionsWithStringEncoding, execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { REPOSITORY } from "../repository.ts";
import { workerFolders } from "../workers.ts";

/** The image with topology and migrations; every other one is named as its engine. */
export const TOOLS = "tools";

/** NAME or TAG can't be used; the message says what can. */
export class BadImageRequest extends Error {
  override readonly name = "BadImageRequest";
  readonly code = "bad_image_request";
}

/** All images, or the one that is asked for. */
export async function imageNames(wanted: string | undefined): Promise<string[]> {
  const all = [...(await workerFolders()), TOOLS];
  if (!wanted) return all;
  if (!all.includes(wanted))
    throw new BadImageRequest(`NAME=${wanted} is no image; there are: ${all.join(", ")}.`);
  return [wanted];
}

/** `<registry>/tl-engine-<name>:<tag>` */
export function imageReference(name: string, tag: string, registry = ""): string {
  if (tag === "latest")
    throw new BadImageRequest("TAG=latest names no version: give one, or leave TAG out.");
  if (!/^\w[\w.-]{0,127}$/.test(tag))
    throw new BadImageRequest(
      `TAG=${tag}: a tag has letters, digits, "_", "." and "-", up to 128.`,
    );
  const prefix = registry === "" ? "" : `${registry.replace(/\/+$/, "")}/`;
  return `${prefix}tl-engine-${name}:${tag}`;
}

export interface Source {
  version: string;
  /** The commit; undefined outside of a git repository. */
  revision: string | undefined;
  /** Whether files differ from the commit. */
  dirty: boolean;
  /** When the commit was made, so that the same commit gives the same label; now if files differ. */
  created: string;
  /** Public address of the repository; undefined when the remote is a folder or there is none. */
  url: string | undefined;
}

function git(args: string[]): string | undefined {
  try {
    const options: ExecFileSyncOptionsWithStringEncoding = {
      cwd: REPOSITORY,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    };
    return execFileSync("git", args, options).trim();
  } catch {
    return undefined;
  }
}

export function readSource(): Source {
  const { version } = JSON.parse(readFileSync(`${REPOSITORY}package.json`, "utf8"));
  const revision = git(["rev-parse", "HEAD"]);
  const dirty = revision === undefined || git(["status", "--porcelain"]) !== "";
  const committed = git(["show", "--no-patch", "--format=%cI", "HEAD"]);
  const created = new Date(dirty || !committed ? Date.now() : committed).toISOString();
  const url = publicUrl(git(["remote", "get-url", "origin"]) ?? "");
  return { version, revision, dirty, created, url };
}

/** An https address without credentials, also of `git@host:owner/name.git`. */
export function publicUrl(remote: string): string | undefined {
  const ssh = /^(?:ssh:\/\/)?git@([\w.-]+)[:/](?!\d+\/)(.+)$/.exec(remote);
  const address = ssh ? `https://${ssh[1]}/${ssh[2]}` : remote;
  if (!/^https?:\/\//.test(address) || !URL.canParse(address)) return undefined;
  const { host, pathname } = new URL(address);
  return `https://${host}${pathname.replace(/\.git$/, "")}`;
}

/** The commit, marked when files differ from it. */
export function defaultTag({ revision, dirty, version }: Source): string {
  return `${revision?.slice(0, 12) ?? version}${dirty ? "-dirty" : ""}`;
}

export function labelsOf(name: string, source: Source): Record<string, string> {
  const { version, revision, dirty, created, url } = source;
  const labels: Record<string, string | undefined> = {
    title: `tl-engine-${name}`,
    version,
    revision: revision && `${revision}${dirty ? "-dirty" : ""}`,
    created,
    source: url,
  };
  return Object.fromEntries(
    Object.entries(labels).flatMap(([key, value]) =>
      value === undefined ? [] : [[`org.opencontainers.image.${key}`, value]],
    ),
  );
}
