/** What an engine imports that asks hosts which somebody else names. */
export { readAllowList } from "./allow-list.ts";
export { OUTBOUND_CODES, type OutboundCode, OutboundError } from "./errors.ts";
export {
  createOutbound,
  type Outbound,
  type OutboundLimits,
  type OutboundOptions,
  type OutboundRequest,
} from "./outbound.ts";
export type { OutboundResponse } from "./response.ts";
