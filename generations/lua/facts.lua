-- Look at what every exporter of metrics tells alike; nothing is changed. After line.lua.
--
-- KEYS[1] breaker (claim.lua)   KEYS[2] unfinished   KEYS[3] exhausted (settle.lua)
-- KEYS[3 + i] due:{lane}
-- ARGV[1] what keys begin with
-- ARGV[2] ms that an exhausted delivery is kept: what is older is in the index alone
-- ARGV[2 + i] where it is "1", what is ready in that lane waits in the lines (line.lua), and its
-- entry in the lane says nothing of that
-- Returns {failures in a row of calls to RunComfy, unfinished generations and deliveries,
-- exhausted deliveries, then per lane: entries, those that are due, ms since the oldest of them is}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local failures = tonumber(redis.call('HGET', KEYS[1], 'failures') or 0)
local exhausted = redis.call('ZCOUNT', KEYS[3], now - ARGV[2], '+inf')
local facts = {failures, redis.call('SCARD', KEYS[2]), exhausted}

-- Of origins that have room: who waits because of its own limit is not late.
local function in_lines()
  local waiting, oldest = 0, now
  for _, origin in ipairs(redis.call('ZRANGE', places(ARGV[1], '').lines, 0, -1)) do
    local line = places(ARGV[1], origin).line
    waiting = waiting + redis.call('ZCARD', line)
    local id = redis.call('ZRANGE', line, 0, 0)[1]
    local accepted = id and redis.call('HGET', ARGV[1] .. id, 'created_at')
    oldest = math.min(oldest, tonumber(accepted or '') or now)
  end
  return waiting, oldest
end

for i = 4, #KEYS do
  local head = redis.call('ZRANGE', KEYS[i], 0, 0, 'WITHSCORES')
  local due, oldest = redis.call('ZCOUNT', KEYS[i], '-inf', now), tonumber(head[2] or now)
  if ARGV[i - 1] == '1' then
    local waiting, since = in_lines()
    due, oldest = due + waiting, math.min(oldest, since)
  end
  facts[#facts + 1] = redis.call('ZCARD', KEYS[i])
  facts[#facts + 1] = due
  facts[#facts + 1] = math.max(now - oldest, 0)
end
return facts
