/** Runs dead letters of one engine again. */
import type { Connection } from "@tl-engine/shared/broker/connection";
import { lanesOf } from "@tl-engine/shared/broker/lanes";
import type { Publisher } from "@tl-engine/shared/broker/publish";
import { type BrokerNames, JOB_ID } from "@tl-engine/shared/wire/names";
import { type Letter, readLetter, replayOf } from "./letter.ts";
import { LAST_LOOKS, REFRESH_AFTER_LOOKS, refreshed } from "./refresh.ts";
import { isChosen, needsItsCode, type Selection } from "./selection.ts";
import { delivered, type Message, walkQueue } from "./walk-queue.ts";

export interface Replayed {
  /** Ids of the jobs that were published again; in a dry run, of those that would be. */
  replayed: string[];
  /** The same by code. */
  codes: Record<string, number>;
  /** Letters that stay, and why. */
  left: { id: string; why: string }[];
  /** By code: letters of jobs that ended on purpose, which only their code's name replays. */
  unnamed: Record<string, number>;
}

export interface ReplayOptions {
  engine: string;
  names: BrokerNames;
  /** Default: every letter that is there now. */
  selection?: Selection;
  /** Publishes nothing and takes nothing off: letters stay in their order. */
  dryRun?: boolean;
}

/**
 * Publishes letters to their engine as the next generation, confirmed, and only then takes them off
 * their queue: a crash in between leaves the letter, and its second replay is the same job of the
 * same generation, which gets the stored result.
 */
export async function replayLetters(
  connection: Pick<Connection, "model">,
  publisher: Publisher,
  { engine, names, selection = {}, dryRun = false }: ReplayOptions,
): Promise<Replayed> {
  // A missing queue would let the alternate exchange have the job.
  const lanes = lanesOf(engine).map((lane) => names.queue(engine, lane));
  await checkQueues(connection, lanes);
  const queue = names.dead(engine);
  const result: Replayed = { replayed: [], codes: {}, left: [], unnamed: {} };
  const done = new Set<string>();

  const replay = async (message: Message, { id, code }: Letter): Promise<boolean> => {
    if (!dryRun && !(await delivered(publisher, replayOf(message, engine, names)))) {
      result.left.push({ id, why: "the broker takes no message of its size any more" });
      return false;
    }
    result.replayed.push(id);
    count(result.codes, code);
    return !dryRun;
  };

  await walkQueue(connection, queue, {
    visit(message) {
      const letter = readLetter(message);
      const stay = () =>
        refreshed(message, queue, publisher, dryRun ? LAST_LOOKS : REFRESH_AFTER_LOOKS);
      if (!isChosen(letter, selection)) return stay();
      if (needsItsCode(letter, selection)) {
        count(result.unnamed, letter.code);
        return stay();
      }
      const why = whyNot(letter);
      if (why !== undefined) {
        result.left.push({ id: letter.id, why });
        return stay();
      }
      // One of several, or one that has failed once more.
      if (done.has(keyOf(letter)) || done.has(keyOf(letter, letter.generation - 1))) return "stay";
      done.add(keyOf(letter));
      return { send: () => replay(message, letter), when: "now" };
    },
  });
  return result;
}

async function checkQueues({ model }: Pick<Connection, "model">, queues: string[]): Promise<void> {
  const channel = await model.createChannel();
  channel.on("error", () => {});
  for (const queue of queues) await channel.checkQueue(queue);
  await channel.close();
}

const keyOf = ({ id, generation }: Letter, of = generation) => `${id} ${of}`;

export function count(counts: Record<string, number>, what: string): void {
  counts[what] = (counts[what] ?? 0) + 1;
}

/** Why a letter would only come back. */
function whyNot({ id, code, cutBytes, bodySha256 }: Letter): string | undefined {
  if (id === "") return "it has no message_id, which every job needs";
  if (cutBytes !== undefined) {
    const digest = bodySha256 === undefined ? "" : ` (sha-256 ${bodySha256})`;
    return `its body of ${cutBytes} bytes was not kept whole${digest}: only its publisher has the input`;
  }
  if (!JOB_ID.test(id)) return "its message_id is none that a job can have";
  if (code === "idempotency_conflict") return "its id belongs to another input";
  return undefined;
}
