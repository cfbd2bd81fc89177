-- Claims jobs for one worker, all keys of a batch in one command.
-- KEYS: one hash per job: t token, e lease end (ms), g generation, a attempt, c crashes, d done, x cancelled.
-- ARGV: lease ms, ttl ms, suspect after, quarantine after; then per key: token, generation, attempt, crashes, alone.
-- Answers per key: code, number.
local RUN, BUSY, STALE, DONE, SUSPECT, CANCELLED = 0, 1, 2, 3, 4, 5
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease, ttl = tonumber(ARGV[1]), ARGV[2]
local suspectAfter, quarantineAfter = tonumber(ARGV[3]), tonumber(ARGV[4])
local answers = {}

local function claim(key, token, generation, attempt, crashes, alone)
  local v = redis.call('HMGET', key, 't', 'e', 'g', 'a', 'c', 'd', 'x')
  local holder, done, cancelled = v[1], v[6], v[7]
  local recordedGeneration, recordedAttempt = tonumber(v[3] or 0), tonumber(v[4] or 0)
  local count = tonumber(v[5] or 0)
  if generation > recordedGeneration then
    -- A replay starts afresh; what an earlier generation left no longer counts.
    done, cancelled, recordedAttempt, count = false, false, 0, 0
    redis.call('HDEL', key, 'd', 'x', 'c')
  end
  if done then return DONE, 0 end
  if generation < recordedGeneration then return STALE, 0 end
  if holder and holder ~= token and tonumber(v[2]) > now then return BUSY, tonumber(v[2]) - now end
  if attempt < recordedAttempt then return STALE, recordedAttempt end
  -- A lease that ran out was neither finished nor released: its worker died or froze.
  if holder and holder ~= token then count = count + 1 end
  if crashes > count then count = crashes end
  if cancelled then
    redis.call('HSET', key, 't', token, 'e', now + lease, 'g', generation, 'a', attempt, 'c', count)
    redis.call('PEXPIRE', key, ttl)
    return CANCELLED, count
  end
  if count >= suspectAfter and count < quarantineAfter and alone == '0' then
    -- Not claimed yet: while it waits for its turn alone, a crash is not its own.
    redis.call('HDEL', key, 't', 'e')
    redis.call('HSET', key, 'g', generation, 'a', attempt, 'c', count)
    redis.call('PEXPIRE', key, ttl)
    return SUSPECT, count
  end
  redis.call('HSET', key, 't', token, 'e', now + lease, 'g', generation, 'a', attempt, 'c', count)
  redis.call('PEXPIRE', key, ttl)
  return RUN, count
end

for i, key in ipairs(KEYS) do
  local at = 4 + (i - 1) * 5
  local code, number = claim(key, ARGV[at + 1], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]),
    tonumber(ARGV[at + 4]), ARGV[at + 5])
  answers[i * 2 - 1] = code
  answers[i * 2] = number
end
return answers
