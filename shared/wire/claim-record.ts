/** How a claim is written in Redis: one short text, since a script that sets one string costs less than half of one that keeps a hash. */

/** What Redis remembers of a job. */
export interface ClaimRecord {
  /** The delivery that holds the lease. */
  token: string | undefined;
  generation: number;
  /** The counted run on record, 0 while no worker has claimed the job. */
  attempt: number;
  /** Claims that neither finished nor were released. */
  crashes: number;
  done: boolean;
  cancelled: boolean;
  /** Epoch ms by the server's clock: the lease's end; without a token when the job runs next, 0 where nobody knows. */
  leaseEndMs: number;
  /** JSON as the handler last reported it, or "". */
  progress: string;
  /** JSON of the error of the last counted run that failed, or "". */
  failure: string;
}

/**
 * `<token> <generation> <attempt> <crashes> <done> <cancelled> <leaseEndMs> <progress>`; `-` is no token.
 * Behind a line break, which JSON has none of, stands the failure: a job that succeeds at once has neither.
 * I1 of job/life.ts. Longer numbers, which arithmetic would garble, are not ours.
 */
const RECORD = /^(\S+) (\d{1,6}) (\d{1,6}) (\d{1,6}) ([01]) ([01]) (\d{1,15}) ([^\n]*)\n?(.*)$/s;

/** Undefined for what is absent or was not written by us. */
export function readRecord(text: string | null): ClaimRecord | undefined {
  const fields = RECORD.exec(text ?? "");
  if (fields === null) return undefined;
  const [, token, generation, attempt, crashes, done, cancelled, leaseEndMs, progress, failure] =
    fields;
  return {
    token: token === "-" ? undefined : token,
    generation: Number(generation),
    attempt: Number(attempt),
    crashes: Number(crashes),
    done: done === "1",
    cancelled: cancelled === "1",
    leaseEndMs: Number(leaseEndMs),
    progress: progress ?? "",
    failure: failure ?? "",
  };
}

export function writeRecord(record: ClaimRecord): string {
  const { token = "-", generation, attempt, crashes, done, cancelled, leaseEndMs } = record;
  const flags = `${done ? 1 : 0} ${cancelled ? 1 : 0}`;
  const failure = record.failure === "" ? "" : `\n${record.failure}`;
  return `${token} ${generation} ${attempt} ${crashes} ${flags} ${leaseEndMs} ${record.progress}${failure}`;
}

/** What a progress note and a failure's message can come to, and more: scripts read no further, whoever wrote what is there. */
const MAX_RECORD_BYTES = 4_096;

/**
 * The same for scripts: `read` gives nothing where there is no record, `blank` one of a job that nobody has seen.
 * `get` reads a key, and makes room where it holds what no claim is.
 */
export const RECORD_LUA = `
local function read(text)
  if not text then return nil end
  local token, generation, attempt, crashes, done, cancelled, leaseEnd, progress, failure =
    string.match(text, '^(%S+) (%d+) (%d+) (%d+) ([01]) ([01]) (%d+) ([^\\n]*)\\n?(.*)$')
  if not token or #generation > 6 or #attempt > 6 or #crashes > 6 or #leaseEnd > 15 then return nil end
  return { token = token ~= '-' and token, generation = tonumber(generation), attempt = tonumber(attempt),
    crashes = tonumber(crashes), done = done == '1', cancelled = cancelled == '1', leaseEnd = leaseEnd,
    progress = progress, failure = failure }
end

local function blank()
  return { generation = 0, attempt = 0, crashes = 0, leaseEnd = '0', progress = '', failure = '' }
end

local function get(key)
  local found = redis.pcall('GETRANGE', key, 0, ${MAX_RECORD_BYTES - 1})
  if type(found) == 'table' then
    if not string.find(found.err, 'WRONGTYPE', 1, true) then error(found.err) end
    redis.call('UNLINK', key)
    return nil
  end
  local r = read(found)
  if r and #found == ${MAX_RECORD_BYTES} then r.progress, r.failure = '', '' end
  return r
end

local function text(r)
  return (r.token or '-') .. ' ' .. r.generation .. ' ' .. r.attempt .. ' ' .. r.crashes ..
    (r.done and ' 1' or ' 0') .. (r.cancelled and ' 1 ' or ' 0 ') .. r.leaseEnd .. ' ' .. r.progress ..
    (r.failure == '' and '' or '\\n' .. r.failure)
end
`;
