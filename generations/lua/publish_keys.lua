-- Note that public keys are in use now, and forget those that were not for long.
--
-- KEYS[1] signing_keys: a sorted set of public keys (base64url) by the instant (ms) when a
--         worker was last seen that signs with them
-- ARGV[1] ms that a key is kept since   ARGV[2…] the keys
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 2, #ARGV do
  redis.call('ZADD', KEYS[1], now, ARGV[i])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[1])
