-- Forget an endpoint of an origin, and its headers.
--
-- KEYS[1] origin:{origin} (set_endpoint.lua)   ARGV[1] the URL
-- Returns 1, or 0 where it was not registered.
if redis.call('HGET', KEYS[1], 'default_endpoint') == ARGV[1] then
  redis.call('HDEL', KEYS[1], 'default_endpoint')
end
return redis.call('HDEL', KEYS[1], 'endpoint:' .. ARGV[1])
