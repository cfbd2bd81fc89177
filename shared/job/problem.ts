/** What is wrong with a job: all of it at once, and in one sentence for its sender. */
import { redactUrls } from "../process/redact.ts";
import type { ErrorCode } from "../wire/error-codes.ts";

export interface Problem {
  code: ErrorCode;
  message: string;
  details?: { path: string; message: string }[];
}

/** One thing that is wrong with a message; where it is no single place, it has no path. */
export interface Fault {
  code: ErrorCode;
  message: string;
  path?: string;
}

export const MAX_DETAILS = 20;

/** Paths and messages may come from an engine's own code, as long as it likes. */
export const boundDetail = ({ path, message }: { path: string; message: string }) => ({
  path: path.slice(0, 200),
  message: message.slice(0, 300),
});

/** As it may be told and kept: an engine's own words may hold a URL with its password. */
export function redacted({ code, message, details }: Problem): Problem {
  const places = details?.map(({ path, message }) => ({ path, message: redactUrls(message) }));
  return { code, message: redactUrls(message), ...(places && { details: places }) };
}

/** A message without an id leaves no row: the sentence in its dead letter's header, 500 characters, is all that is told. */
const MAX_SENTENCE = 480;

/** The first fault gives the code. `hint` says what the message looks like as a whole. */
export function problemOf([first, ...others]: [Fault, ...Fault[]], hint?: string): Problem {
  const faults = [first, ...others].slice(0, MAX_DETAILS);
  const details = faults.flatMap(({ path, message }) =>
    path === undefined ? [] : [{ path, message }],
  );
  return {
    code: first.code,
    message: sentenceOf([first, ...others], hint),
    ...(details.length === 0 ? {} : { details }),
  };
}

function sentenceOf(faults: Fault[], hint: string | undefined): string {
  const told = faults.map(({ message }) => message).join("; ");
  const intro = faults.length === 1 ? "" : `${faults.length} things are wrong: `;
  const sentence = hint === undefined ? intro + told : `${hint}: ${told}`;
  return sentence.length <= MAX_SENTENCE ? sentence : `${sentence.slice(0, MAX_SENTENCE - 1)}…`;
}

export function invalid(faults: Fault[], path: string, message: string): void {
  faults.push({ code: "invalid_input", message, path });
}
