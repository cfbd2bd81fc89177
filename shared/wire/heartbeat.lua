-- Renews the leases of long jobs, carries their progress out and cancellations in.
-- ARGV: lease ms, ttl ms; then per key: token, progress ('' for none).
-- Answers per key: 0 renewed, 1 lost, 2 cancelled, 3 ended.
local RENEWED, LOST, CANCELLED, ENDED = 0, 1, 2, 3
local time = redis.call('TIME')
local leaseEnd = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1])
local ttl = ARGV[2]

local function renew(key, token, progress)
  local r = get(key) or blank()
  if r.token and r.token ~= token then return LOST end
  -- It ended while this was on its way: a lease would hold its next run up.
  if not r.token and r.attempt > 0 then return ENDED end
  if progress ~= '' then r.progress = progress end
  r.token, r.leaseEnd = token, leaseEnd
  redis.call('SET', key, text(r), 'PX', ttl)
  return r.cancelled and CANCELLED or RENEWED
end

local answers = {}
for i, key in ipairs(KEYS) do answers[i] = renew(key, ARGV[1 + i * 2], ARGV[2 + i * 2]) end
return answers
