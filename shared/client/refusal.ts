/** Why a broker closed the channel that publishes: tells what can never go from what can't go now. */
import { brokerCode } from "./amqp-client-insides.ts";
import { InvalidArgument } from "./errors.ts";

export type Refusal =
  /** The exchange is missing, or the user may not publish to it: nothing goes until somebody acts. */
  | { kind: "topology_missing" | "access_refused" }
  /** A body above the broker's limit: that one never goes, the others do. */
  | { kind: "too_large"; limitBytes: number }
  /** The broker takes nothing for now. LavinMQ closes the channel at each publish where RabbitMQ blocks. */
  | { kind: "no_space" }
  /** Some publish was refused, and the broker does not say which. */
  | { kind: "unknown" };

/** RabbitMQ: `message size 9 is larger than configured max size 8`; LavinMQ: `message size 9 larger than max size 8`. */
const TOO_LARGE = /size \d+ (?:is )?larger than (?:configured )?max size (\d+)/;
const NO_SPACE = /low on disk space/i;

/** The refusal in a channel's end; undefined when it went with its connection, which is no refusal. */
export function refusalOf(error: Error): Refusal | undefined {
  if (!/^channel \d+ closed: /.test(error.message)) return undefined;
  const code = brokerCode(error);
  if (code === 404) return { kind: "topology_missing" };
  if (code === 403) return { kind: "access_refused" };
  const limit = TOO_LARGE.exec(error.message)?.[1];
  if (limit !== undefined) return { kind: "too_large", limitBytes: Number(limit) };
  return { kind: NO_SPACE.test(error.message) ? "no_space" : "unknown" };
}

/** How long a limit is believed: the broker's owner may raise it. */
const KNOWN_MS = 60_000;

/** The broker's limit, once it was named: each publish above it would cost all others the channel. */
export class SizeLimit {
  #bytes = Number.POSITIVE_INFINITY;
  #until = 0;

  learn(bytes: number): void {
    this.#bytes = bytes;
    this.#until = performance.now() + KNOWN_MS;
  }

  /** What a body above it is refused with. */
  refusal(body: string): InvalidArgument | undefined {
    if (performance.now() > this.#until) return undefined;
    const bytes = Buffer.byteLength(body);
    if (bytes <= this.#bytes) return undefined;
    return new InvalidArgument(
      "payload_too_large",
      `a body of ${bytes} bytes: the broker's limit is ${this.#bytes} (its max_message_size)`,
    );
  }
}
