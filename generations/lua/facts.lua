-- Look at what every exporter of metrics tells alike; nothing is changed.
--
-- KEYS[1] breaker (claim.lua)   KEYS[1 + i] due:{lane}
-- Returns {failures in a row of calls to RunComfy, then per lane: entries, those that are due,
-- ms since the oldest of them is}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local facts = {tonumber(redis.call('HGET', KEYS[1], 'failures') or 0)}
for i = 2, #KEYS do
  local oldest = redis.call('ZRANGE', KEYS[i], 0, 0, 'WITHSCORES')
  facts[#facts + 1] = redis.call('ZCARD', KEYS[i])
  facts[#facts + 1] = redis.call('ZCOUNT', KEYS[i], '-inf', now)
  facts[#facts + 1] = math.max(now - tonumber(oldest[2] or now), 0)
end
return facts
