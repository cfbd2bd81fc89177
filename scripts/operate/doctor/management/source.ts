/** What the checks by the management API share: who to ask, and what was asked once for all of them. */
import type { BrokerProfile } from "@tl-engine/shared/broker/connection";
import type { Topology } from "@tl-engine/shared/broker/topology";

export interface SeenQueue {
  name: string;
  state?: string;
  messages_ready?: number;
  consumers?: number;
  arguments?: Record<string, unknown>;
  policy?: string | null;
  effective_policy_definition?: Record<string, unknown>;
}

export interface Management {
  url: string;
  amqpUrl: string;
  /** Decoded. */
  vhost: string;
  profile: BrokerProfile;
  /** As `make topology` would declare it. */
  topology: Topology;
  /** The fleet's queues that are there. */
  queues: SeenQueue[];
  /** @throws {ManagementError} */
  get(...path: string[]): Promise<unknown>;
}
