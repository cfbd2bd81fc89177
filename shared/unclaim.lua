-- Ends claims, all keys of a batch in one command.
-- ARGV: ttl ms; then per key: what (done, retry, release), token, generation, attempt.
local ttl = ARGV[1]
for i, key in ipairs(KEYS) do
  local at = 1 + (i - 1) * 4
  local what, token = ARGV[at + 1], ARGV[at + 2]
  local generation, attempt = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local v = redis.call('HMGET', key, 't', 'g', 'a')
  local mine = v[1] == token
  local recordedGeneration, recordedAttempt = tonumber(v[2] or 0), tonumber(v[3] or 0)
  local ends = what == 'done' and generation >= recordedGeneration
  if ends then
    redis.call('HSET', key, 'd', 1, 'g', generation, 'a', math.max(attempt, recordedAttempt))
  elseif what == 'retry' and
    (generation > recordedGeneration or (generation == recordedGeneration and attempt > recordedAttempt)) then
    -- The copy with the lower attempt is acked unrun from now on.
    redis.call('HSET', key, 'g', generation, 'a', attempt)
  end
  if ends and mine then redis.call('HDEL', key, 't', 'e', 'c', 'p', 'x')
  elseif ends then redis.call('HDEL', key, 'c', 'p', 'x')
  elseif mine then redis.call('HDEL', key, 't', 'e')
  end
  -- Whoever holds the claim set this when it began; another may have made the key anew.
  if not mine then redis.call('PEXPIRE', key, ttl) end
end
return #KEYS
