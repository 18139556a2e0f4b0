-- The public keys that are in use, or were not long ago; the newest first.
--
-- KEYS[1] signing_keys (publish_keys.lua)   ARGV[1] ms that a key is kept
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return redis.call('ZRANGE', KEYS[1], '+inf', '(' .. now - ARGV[1], 'BYSCORE', 'REV')
