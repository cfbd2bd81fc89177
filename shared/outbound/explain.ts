/** Turns whatever went wrong below into an OutboundError, told apart by class and code. */
import { errors } from "undici";
import { OutboundError } from "./errors.ts";

/** @param signal of the request's deadlines: once aborted, its reason is why everything else broke. */
export function explain(error: unknown, signal: AbortSignal): OutboundError {
  if (error instanceof OutboundError) return error;
  if (signal.reason instanceof OutboundError) return signal.reason;
  const cause = { cause: error };
  if (error instanceof errors.HeadersOverflowError)
    return new OutboundError("too_large", "the answer's headers are too large", cause);
  if (error instanceof errors.HTTPParserError)
    return new OutboundError("bad_response", "the answer is no HTTP/1.1", cause);
  if (error instanceof errors.InvalidArgumentError)
    return new OutboundError("bad_request", "the request can't be sent", cause);
  if (error instanceof errors.ClientDestroyedError || error instanceof errors.ClientClosedError)
    return new OutboundError("closed", "the outbound is closed", cause);
  if (isFromZlib(error))
    return new OutboundError("bad_encoding", "the answer's body can't be decoded", cause);
  return new OutboundError("cut_off", "the connection ended before the answer did", cause);
}

/** Node's zlib gives its errors the number of the library's; so do its readers of Brotli and Zstandard. */
const isFromZlib = (error: unknown) =>
  error instanceof Error && "errno" in error && "code" in error && !("syscall" in error);
