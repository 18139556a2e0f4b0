-- Make claims one's own, and read their records: of two copies of one message, one gets them.
--
-- KEYS[1] due:{lane}   KEYS[1 + i] the records
-- ARGV[1] ms of the new lease   ARGV[2] the fence that this step leaves behind
-- ARGV[3] takes without a settle that make a record suspect: further ones do not count, since
--         they are made alone, and whoever sees one end in a death counts that (settle.lua)
-- ARGV[2i + 2], ARGV[2i + 3] id and fence of KEYS[1 + i]
-- Returns {now, records}: this instant (ms), which alone may be compared with those on record,
-- and per record its fields (flat), or an empty list where the claim is lost.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local records = {}
for i = 2, #KEYS do
  local id, fence = ARGV[2 * i], ARGV[2 * i + 1]
  local kept = redis.call('HMGET', KEYS[i], 'fence', 'takes')
  local held = kept[1]
  if held == fence and tonumber(kept[2] or 0) < tonumber(ARGV[3]) then
    redis.call('HINCRBY', KEYS[i], 'takes', 1)
  end
  -- The second test recognises this very step, asked for again because its answer was lost.
  if held == fence or held == ARGV[2] then
    redis.call('HSET', KEYS[i], 'fence', ARGV[2])
    redis.call('ZADD', KEYS[1], 'XX', now + ARGV[1], id)
    records[i - 1] = redis.call('HGETALL', KEYS[i])
  else
    records[i - 1] = {}
  end
end
return {now, records}
