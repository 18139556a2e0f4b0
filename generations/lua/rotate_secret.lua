-- Give an origin a new webhook secret; the others go on until their end, and no longer than the
-- overlap. Asked for again with the same secret, it changes nothing.
--
-- KEYS[1] origin:{origin}: a hash; webhook_secrets holds "secret secret:end …", the newest
--         first, an end (ms) being when the secret signs no more
-- ARGV[1] the new secret   ARGV[2] ms of the overlap   ARGV[3] how many may sign at a time
-- Returns {outcome, webhook_secrets}: outcome is "rotated", "missing" (there is no such origin)
-- or "full".
local held = redis.call('HGET', KEYS[1], 'webhook_secrets')
if not held then
  return {'missing', ''}
end
if string.match(held, '^%S*') == ARGV[1] then
  return {'rotated', held}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kept = {ARGV[1]}
for secret, own_end in string.gmatch(held, '([^%s:]+):?(%d*)') do
  local ends = math.min(tonumber(own_end) or math.huge, now + ARGV[2])
  if ends > now then
    kept[#kept + 1] = secret .. ':' .. string.format('%.0f', ends)
  end
end
if #kept > tonumber(ARGV[3]) then
  return {'full', held}
end
local secrets = table.concat(kept, ' ')
redis.call('HSET', KEYS[1], 'webhook_secrets', secrets)
return {'rotated', secrets}
