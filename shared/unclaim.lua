-- Ends claims, all keys of a batch in one command.
-- ARGV: ttl ms; then per key: 'what token generation attempt', what being done, retry or release.
local ttl = ARGV[1]

local function unclaim(key, job)
  local what, token, generation, attempt = string.match(job, '^(%S+) (%S+) (%d+) (%d+)$')
  generation, attempt = tonumber(generation), tonumber(attempt)
  local r = read(redis.call('GET', key))
  local isMine = r and r.token == token
  if not r then
    if what == 'release' then return end
    r = { generation = generation, attempt = 0, crashes = 0, leaseEnd = '0', progress = '' }
  end
  local isChanged = isMine
  if what == 'done' and generation >= r.generation then
    r.attempt = math.max(attempt, r.attempt)
    r.generation, r.done, r.cancelled, r.crashes, r.progress = generation, true, false, 0, ''
    isChanged = true
  elseif what == 'retry' and
    (generation > r.generation or (generation == r.generation and attempt > r.attempt)) then
    -- The copy with the lower attempt is acked unrun from now on.
    r.generation, r.attempt = generation, attempt
    isChanged = true
  end
  if isMine then r.token = nil end
  if isChanged then redis.call('SET', key, text(r), 'PX', ttl) end
end

for i, key in ipairs(KEYS) do unclaim(key, ARGV[1 + i]) end
return #KEYS
