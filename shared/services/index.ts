/** Real RabbitMQ, Postgres and Redis for whatever runs the fleet on a developer's machine or in CI. */
export { dropServices, keepServices, readKept, runningKept } from "./kept.ts";
export {
  provideServices,
  SERVICES_DIR,
  type ServiceControl,
  type Services,
  type Source,
} from "./provide.ts";
export { URLS_OF_SERVICE } from "./urls.ts";
