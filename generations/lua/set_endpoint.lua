-- Register an endpoint of an origin, or change one that is registered.
--
-- KEYS[1] origin:{origin}: a hash, with
--           endpoint:{url}    for each endpoint: the headers that it is sent, as JSON
--           default_endpoint  the URL of the one that is told where a generation names none
-- ARGV[1] the URL   ARGV[2] headers, as JSON; empty: those that it has, if any
-- ARGV[3] "1": it is the default from now on, "0": it is not, empty: as it was
-- ARGV[4] how many endpoints an origin may have
-- Returns "set", "missing" (there is no such origin) or "full".
if redis.call('HEXISTS', KEYS[1], 'webhook_secrets') == 0 then
  return 'missing'
end
local field = 'endpoint:' .. ARGV[1]
local held = redis.call('HGET', KEYS[1], field)
if not held then
  local count = 0
  for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
    count = count + (string.sub(name, 1, 9) == 'endpoint:' and 1 or 0)
  end
  if count >= tonumber(ARGV[4]) then
    return 'full'
  end
end
redis.call('HSET', KEYS[1], field, ARGV[2] ~= '' and ARGV[2] or held or '{}')
if ARGV[3] == '1' then
  redis.call('HSET', KEYS[1], 'default_endpoint', ARGV[1])
elseif ARGV[3] == '0' and redis.call('HGET', KEYS[1], 'default_endpoint') == ARGV[1] then
  redis.call('HDEL', KEYS[1], 'default_endpoint')
end
return 'set'
