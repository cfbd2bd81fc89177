/** Real RabbitMQ, Postgres and Redis for whatever runs the fleet on a developer's machine or in CI. */
export { dropServices, KeptSetLocked, keepServices, readKept, runningKept } from "./kept.ts";
export {
  type ProvideOptions,
  provideServices,
  SERVICES_DIR,
  type ServiceControl,
  type Services,
  SOURCES,
  type Source,
} from "./provide.ts";
export { SERVICE_NAMES, type ServiceName, type ServiceUrls, URLS_OF_SERVICE } from "./urls.ts";
