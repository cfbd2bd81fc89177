/** Why a process could not start, in words for whoever started it. */

/** The server or the part that a start failed on. */
export type StartedPart = "broker" | "postgres" | "redis" | "s3" | "management API" | "health port";

/**
 * Something that a start needs is not there, or is not fit. The message names the server, the variable, the
 * likely cause and what to do next, and never holds a secret; `cause` is what was met.
 */
export class StartFailure extends Error {
  override readonly name: string = "StartFailure";
  readonly part: StartedPart;
  /** The variable to look at, such as `AMQP_URL`. */
  readonly variable: string;
  /** Whether starting again, with nothing changed, may help: the process then ends with 1, otherwise with 2. */
  readonly temporary: boolean;

  constructor(
    part: StartedPart,
    variable: string,
    message: string,
    options: ErrorOptions & { temporary: boolean },
  ) {
    super(message, options);
    this.part = part;
    this.variable = variable;
    this.temporary = options.temporary;
  }
}
