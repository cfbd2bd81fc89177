/** The engine `scheduler`: keeps jobs until their time, and runs schedules. Postgres decides, BullMQ is its clock. */
import { defineScheduler } from "./define-scheduler.ts";

export default defineScheduler();
