/**
 * Stands in for a cluster behind `kubectl`: it keeps what is applied, scales real workers on the real test services
 * as KEDA and the HPA would, and kills them as pods are killed.
 */
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { json } from "node:stream/consumers";
import type { Answer } from "../../deploy/testing/fake-kubectl.ts";
import { kubectlProgram } from "./kubectl-program.ts";
import { type Reply, StandInState } from "./stand-in-state.ts";

export interface StandIn {
  /** Variables for whatever shall find it as `kubectl`. */
  env: { PATH: string };
  /** All that it was asked, without context and namespace. */
  asked: string[];
  state: StandInState;
  /** Ends the port-forwards to a service, as a broken connection does. */
  breakForwards(service: string): void;
  close(): Promise<void>;
}

export interface StandInOptions {
  /** ENGINE_PREFIX of the fleet whose queues are there. */
  prefix: string;
  /** Answered in this way before anything else is looked at. */
  answers?: Answer[];
}

interface Asked {
  args: string[];
  input: string;
  pid: number;
}

export async function startStandIn({ prefix, answers = [] }: StandInOptions): Promise<StandIn> {
  const state = new StandInState(prefix);
  const asked: string[] = [];
  const forwards = new Map<number, string>();

  const answer = async ({ args, input, pid }: Asked): Promise<Reply> => {
    const own = args.filter(
      (it, index) => !it.startsWith("--context=") && it !== "-n" && args[index - 1] !== "-n",
    );
    const line = own.join(" ");
    asked.push(line);
    const fixed = answers.find(({ to }) => new RegExp(to).test(line));
    if (fixed) return { stdout: "", stderr: "", status: 0, ...fixed };
    const reply = await state.answer(own, input);
    if (reply.forward) forwards.set(pid, reply.forward.service);
    return reply;
  };
  const server = createServer((request, response) => {
    const respond = async () => {
      const reply = await answer((await json(request)) as Asked).catch((error: Error) => ({
        ...{ stdout: "", stderr: `stand-in: ${error.stack}`, status: 1 },
      }));
      response.end(JSON.stringify(reply));
    };
    void respond();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const folder = mkdtempSync(join(tmpdir(), "tl-stand-in-"));
  writeFileSync(`${folder}/kubectl`, kubectlProgram((server.address() as AddressInfo).port));
  chmodSync(`${folder}/kubectl`, 0o755);
  const breakForwards = (service?: string) => {
    for (const [pid, forwarded] of forwards) {
      if (service !== undefined && forwarded !== service) continue;
      forwards.delete(pid);
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    }
  };
  return {
    env: { PATH: `${folder}${delimiter}${process.env.PATH}` },
    asked,
    state,
    breakForwards,
    async close() {
      breakForwards();
      await state.close();
      server.closeAllConnections();
      server.close();
      rmSync(folder, { recursive: true });
    },
  };
}
