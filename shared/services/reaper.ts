/**
 * A tiny shell that outlives this process and ends what it started: it holds one end of a pipe,
 * and when the pipe closes, for whatever reason (stop, Ctrl-C, a crash, kill -9), it cleans up.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Writable } from "node:stream";

/**
 * Reads one order a line; at the end of the input it carries them out: signals every watched
 * process group, kills after 5 s what is left of them, runs the commands, removes the folders.
 */
const SCRIPT = `
trap '' HUP INT TERM
groups= commands=
while read -r verb value; do
  case $verb in
    watch) groups="$groups $value" ;;
    forget) kept=; for entry in $groups; do [ "\${entry%:*}" = "$value" ] || kept="$kept $entry"; done; groups=$kept ;;
    remove) set -- "$@" "$value" ;;
    run) commands="$commands$value;" ;;
    release) exit 0 ;;
  esac
done
for entry in $groups; do
  kill -s "\${entry#*:}" -- "-\${entry%:*}" 2>/dev/null; kill -s CONT -- "-\${entry%:*}" 2>/dev/null
done
for entry in $groups; do
  group=\${entry%:*} tries=0
  while kill -0 -- "-$group" 2>/dev/null && [ $tries -lt 100 ]; do sleep 0.05; tries=$((tries + 1)); done
  kill -s KILL -- "-$group" 2>/dev/null
done
eval "$commands"
for folder; do rm -rf -- "$folder" 2>/dev/null || { sleep 0.5; rm -rf -- "$folder"; }; done
`;

/** Makes one word of a shell's command of any text without line breaks. */
export const shellWord = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

export interface Reaper {
  /** Ends this process group with the signal, at the latest when this process ends. */
  watch(groupId: number, signal: NodeJS.Signals): void;
  forget(groupId: number): void;
  /** Runs a line of shell at the end. */
  runAtEnd(command: string): void;
  /** Removes a folder at the end. */
  removeAtEnd(folder: string): void;
  /** Carries everything out and waits for it. Calling it again does nothing. */
  end(): Promise<void>;
  /** Lets go of everything: nothing is ended or removed. */
  release(): Promise<void>;
}

/** @param env what its commands get. Default: the environment of this process as it is now. */
export function startReaper(env: NodeJS.ProcessEnv = process.env): Reaper {
  const shell: ChildProcess = spawn("/bin/sh", ["-c", SCRIPT], {
    env,
    detached: true, // A Ctrl-C in the terminal must not reach it.
    cwd: "/",
    stdio: ["pipe", "ignore", "inherit"],
  });
  const input = shell.stdin as Writable & { unref?(): void };
  // Neither may keep the parent alive: its end is what the reaper waits for.
  shell.unref();
  input.unref?.();
  input.on("error", () => {});
  const order = (verb: string, value: string | number) => {
    if (/\n/.test(String(value))) throw new TypeError("a line break in a reaper's order");
    input.write(`${verb} ${value}\n`);
  };
  let ended: Promise<void> | undefined;
  const end = () => {
    ended ??= (async () => {
      shell.ref();
      const exit = shell.exitCode === null ? once(shell, "exit") : Promise.resolve();
      input.end();
      await exit;
    })();
    return ended;
  };
  return {
    watch: (groupId, signal) => order("watch", `${groupId}:${signal.replace(/^SIG/, "")}`),
    forget: (groupId) => order("forget", groupId),
    runAtEnd: (command) => order("run", command),
    removeAtEnd: (folder) => order("remove", folder),
    end,
    release() {
      order("release", "");
      return end();
    },
  };
}
