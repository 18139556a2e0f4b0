-- Note that an API key was used, at most once a minute.
--
-- KEYS[1] key:{SHA-256}: a hash with origin, scopes, created_at (ms), last_used_at (ms), name
-- KEYS[2] keys: a set of the SHA-256 of every key
-- ARGV[1] the SHA-256   ARGV[2] ms between two notes
-- A key that was revoked meanwhile stays so.
local record = redis.call('HMGET', KEYS[1], 'origin', 'last_used_at')
if not record[1] then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now < tonumber(record[2] or 0) + ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], 'last_used_at', now)
-- One that was made before there was this set comes into it here.
redis.call('SADD', KEYS[2], ARGV[1])
return 1
