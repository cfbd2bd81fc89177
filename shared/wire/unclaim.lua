-- Ends claims, all keys of a batch in one command.
-- ARGV: ttl ms; then per key: 'done token generation attempt', or 'what token generation attempt nextRunMs failure',
-- what being retry or release: ms until the job runs next, 0 for at once, and why the run failed, where it did.
local ttl = ARGV[1]

local function after(ms)
  local time = redis.call('TIME')
  return string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + ms)
end

-- One call for the usual end: the claim was still ours, and what else it said no longer matters.
local function finish(key, token, generation, attempt)
  local ended = '- ' .. generation .. ' ' .. attempt .. ' 0 1 0 0 '
  -- It expires with its claim, which costs Redis less than another expiry.
  local before = redis.pcall('SET', key, ended, 'XX', 'KEEPTTL', 'GET')
  -- It expired, or was no string.
  if not before or type(before) == 'table' then return redis.call('SET', key, ended, 'PX', ttl) end
  if string.sub(before, 1, #token + 1) == token .. ' ' then return end
  local r = read(before)
  if not r then return end
  if tonumber(generation) >= r.generation then
    -- Somebody else took it over, and learns of the end as well.
    r.generation, r.attempt = tonumber(generation), math.max(tonumber(attempt), r.attempt)
    r.crashes, r.done, r.cancelled, r.progress, r.failure = 0, true, false, '', ''
  end
  redis.call('SET', key, text(r), 'PX', ttl)
end

local function unclaim(key, job)
  local what, token, generation, attempt = string.match(job, '^(%S+) (%S+) (%d+) (%d+)')
  if what == 'done' then return finish(key, token, generation, attempt) end
  generation, attempt = tonumber(generation), tonumber(attempt)
  local r = get(key)
  local isMine = r and r.token == token
  local isLater = what == 'retry' and (not r or generation > r.generation or
    (generation == r.generation and attempt > r.attempt))
  if not isMine and not isLater then return end
  r = r or blank()
  -- The copy with the lower attempt runs no more: it waits for the end of this one.
  if isLater then r.generation, r.attempt = generation, attempt end
  if isMine then r.token = nil end
  local nextRunMs, failure = string.match(job, '^%S+ %S+ %d+ %d+ (%d+) (.*)$')
  if not r.token then r.leaseEnd = nextRunMs == '0' and '0' or after(nextRunMs) end
  if failure ~= '' then r.failure = failure end
  redis.call('SET', key, text(r), 'PX', ttl)
end

for i, key in ipairs(KEYS) do unclaim(key, ARGV[1 + i]) end
return #KEYS
