-- Claims jobs for one worker, all keys of a batch in one command. A job that is new costs one call, and is not
-- even taken apart: its text begins the record.
-- KEYS: one record per job. ARGV: lease ms, ttl ms, suspect after, quarantine after, alone ('1' or '0'), denied
-- ('1' where Postgres has no row that bears the record out), returned: ' index:times ' of each job whose message
-- went back to its queue; then per key: 'token generation attempt crashes'.
-- Answers, for each key that is not to run as a new job: its index from 0, code, number.
local RUN, BUSY, STALE, DONE, SUSPECT, CANCELLED = 0, 1, 2, 3, 4, 5
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease = tonumber(ARGV[1])
local leaseEnd = string.format('%.0f', now + lease)
-- A time costs Redis less than a span, which it first turns into one, for each key.
local expiry = string.format('%.0f', now + ARGV[2])
local suspectAfter, quarantineAfter, alone = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5] == '1'
local isDenied, returned = ARGV[6] == '1', ARGV[7]
local firstLease = ' 0 0 ' .. leaseEnd .. ' '
local answers = {}

local function claim(key, job, index)
  local token, generation, attempt, crashes = string.match(job, '^(%S+) (%d+) (%d+) (%d+)$')
  generation, attempt, crashes = tonumber(generation), tonumber(attempt), tonumber(crashes)
  local r = get(key) or blank()
  if isDenied then
    -- I1. No end and no later run; a lease that somebody holds is waited for all the same.
    r.done, r.generation, r.attempt = false, math.min(r.generation, generation), math.min(r.attempt, attempt)
  end
  if generation > r.generation then
    -- A replay starts afresh; what an earlier generation left no longer counts.
    r.done, r.cancelled, r.attempt, r.crashes, r.failure = false, false, 0, 0, ''
  end
  if r.done then return DONE, 0 end
  if generation < r.generation then return STALE, 0 end
  local isHeld = r.token and r.token ~= token
  local left = isHeld and tonumber(r.leaseEnd) - now or 0
  if left > lease then
    -- Nobody was given so long a lease: it ends as if it began now, or the job would wait for ever.
    r.leaseEnd, left = leaseEnd, lease
    redis.call('SET', key, text(r), 'PXAT', expiry)
  end
  if left > 0 then return BUSY, left end
  if attempt < r.attempt then return STALE, r.attempt end
  r.generation, r.attempt = generation, attempt
  -- A lease that ran out was neither finished nor released: its worker died or froze.
  if isHeld then r.crashes = r.crashes + 1 end
  -- I6. A crash sends the message back: no more are believed than it was sent back, or tells of itself.
  local possible = math.max(crashes, tonumber(string.match(returned, ' ' .. index .. ':(%d+) ') or 0))
  r.crashes = math.max(crashes, math.min(r.crashes, possible))
  local code = RUN
  if r.cancelled then code = CANCELLED
  elseif r.crashes >= suspectAfter and r.crashes < quarantineAfter and not alone then code = SUSPECT
  end
  -- I6 of job/life.ts. A suspect is not claimed yet: while it waits for its turn alone, a crash is not its own.
  r.token, r.leaseEnd = code ~= SUSPECT and token, leaseEnd
  redis.call('SET', key, text(r), 'PXAT', expiry)
  return code, r.crashes
end

for i, key in ipairs(KEYS) do
  local job = ARGV[7 + i]
  local neverCrashed = string.sub(job, -2) == ' 0'
  local isNew = neverCrashed and redis.call('SET', key, job .. firstLease, 'NX', 'PXAT', expiry)
  if not isNew then
    local code, number = claim(key, job, i - 1)
    if code ~= RUN or number > 0 then
      local at = #answers
      answers[at + 1], answers[at + 2], answers[at + 3] = i - 1, code, number
    end
  end
end
return answers
