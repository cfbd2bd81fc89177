-- Ends claims, all keys of a batch in one command.
-- ARGV: ttl ms; then per key: 'what token generation attempt', what being done, retry or release.
local ttl = ARGV[1]

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
    r.crashes, r.done, r.cancelled, r.progress = 0, true, false, ''
  end
  redis.call('SET', key, text(r), 'PX', ttl)
end

local function unclaim(key, job)
  local what, token, generation, attempt = string.match(job, '^(%S+) (%S+) (%d+) (%d+)$')
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
  redis.call('SET', key, text(r), 'PX', ttl)
end

for i, key in ipairs(KEYS) do unclaim(key, ARGV[1 + i]) end
return #KEYS
