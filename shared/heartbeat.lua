-- Renews the leases of long jobs, carries their progress out and cancellations in.
-- ARGV: lease ms; then per key: token, progress ('' for none). Answers per key: 0 renewed, 1 lost, 2 cancelled.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answers = {}
for i, key in ipairs(KEYS) do
  local token, progress = ARGV[i * 2], ARGV[i * 2 + 1]
  local v = redis.call('HMGET', key, 't', 'x')
  if v[1] == token or not v[1] then
    redis.call('HSET', key, 't', token, 'e', now + tonumber(ARGV[1]))
    if progress ~= '' then redis.call('HSET', key, 'p', progress) end
    answers[i] = v[2] and 2 or 0
  else
    answers[i] = 1
  end
end
return answers
