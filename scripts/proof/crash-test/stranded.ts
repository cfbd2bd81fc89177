/**
 * Queues that RabbitMQ itself left without a leader. Deleting an at-least-once queue soon after a start can
 * end the supervisor of all dead-lettering, which takes leaders of other queues along, and what is left of
 * them dead-letters no more (rabbitmq-server#16652, open in 4.2); killing the broker soon after a queue was
 * declared anew can leave that one without a leader. Both last until the broker starts again, and neither is
 * what the crash test is about.
 */
import type { Context } from "./faults/fault.ts";

/** Asks each member who leads: no answer within two seconds is none. Changes nothing. */
const STRANDED = `
  [Name || Queue <- rabbit_amqqueue:list(), amqqueue:get_type(Queue) =:= rabbit_quorum_queue,
    Name <- [element(1, amqqueue:get_pid(Queue))],
    case catch ra:members({Name, node()}, 2000) of {ok, _, {_, _}} -> false; _ -> true end]
  ++ [Name || Name <- [rabbit_fifo_dlx_sup], whereis(Name) =:= undefined].`;

const MAX_RESTARTS = 3;

/**
 * Restarts the own broker until every quorum queue has a leader; a given one is left as it is.
 * @returns whether it was restarted.
 */
export async function restartIfStranded(
  { own, rabbitmqctl }: Context,
  note: (detail: string) => void,
): Promise<boolean> {
  if (own === undefined) return false;
  for (let restarts = 0; restarts < MAX_RESTARTS; restarts++) {
    // A broker that is still on its way up can't be asked, and needs nothing but time.
    const answer = await rabbitmqctl("eval", STRANDED).catch(() => "[]");
    const stranded = answer.trim().replace(/\s+/g, " ");
    if (stranded === "[]") return restarts > 0;
    note(`the broker had stranded ${stranded} and was restarted`);
    await own.broker.kill();
    await own.broker.start();
  }
  return true;
}
