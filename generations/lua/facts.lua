-- Look at what every exporter of metrics tells alike; nothing is changed.
--
-- KEYS[1] breaker (claim.lua)   KEYS[2] unfinished   KEYS[3] exhausted (settle.lua)
-- KEYS[3 + i] due:{lane}
-- ARGV[1] ms that an exhausted delivery is kept: what is older is in the index alone
-- Returns {failures in a row of calls to RunComfy, unfinished generations and deliveries,
-- exhausted deliveries, then per lane: entries, those that are due, ms since the oldest of them is}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local failures = tonumber(redis.call('HGET', KEYS[1], 'failures') or 0)
local exhausted = redis.call('ZCOUNT', KEYS[3], now - ARGV[1], '+inf')
local facts = {failures, redis.call('SCARD', KEYS[2]), exhausted}
for i = 4, #KEYS do
  local oldest = redis.call('ZRANGE', KEYS[i], 0, 0, 'WITHSCORES')
  facts[#facts + 1] = redis.call('ZCARD', KEYS[i])
  facts[#facts + 1] = redis.call('ZCOUNT', KEYS[i], '-inf', now)
  facts[#facts + 1] = math.max(now - tonumber(oldest[2] or now), 0)
end
return facts
