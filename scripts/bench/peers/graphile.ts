/** Peer "graphile": a graphile-worker that inserts the result row; its reply is the job's removal. */
import { run } from "graphile-worker";
import { IN_FLIGHT, replyText } from "../load.ts";
import { INSERT_RESULT, resultRow } from "./result-row.ts";

const [databaseUrl = "", schema = ""] = process.argv.slice(2);

const runner = await run({
  connectionString: databaseUrl,
  schema,
  concurrency: IN_FLIGHT,
  taskList: {
    async noop(input, helpers) {
      const startedAt = new Date();
      const { id, n } = input as { id: string; n: number };
      await helpers.query(INSERT_RESULT, resultRow("graphile", id, replyText(n), startedAt));
    },
  },
});
runner.events.on("job:error", ({ error }) => {
  throw error;
});
await runner.promise;
