-- Put a generation on record and make its submission due now, in one step.
-- Calling it again with the same id changes nothing, so a lost answer may be retried; so does
-- another id with an idempotency key that was used before.
--
-- KEYS[1] the record: a hash, one field each for what the origin gave (records.py)
--         and, kept by the scripts alone:
--           status, created_at (ms), deadline (ms),
--           timeline   "status=ms;" for every move, in order
--           fence      a number that changes with every claim and settle
--           takes      how often it was taken since the last settle
--           deliveries "dlv_… " for every delivery
-- KEYS[2] due:submissions: a sorted set of ids by the instant (ms) of their next action
-- KEYS[3] unfinished: a set of the ids of all unfinished generations and deliveries
-- KEYS[4] generations: a sorted set of all ids by creation (ms)
-- KEYS[5] generations:{origin}: the same for one origin
-- KEYS[6] idempotency:{origin}:{hash of the key}: a hash with id, fingerprint, accepted_at
--         (ms); absent without a key
-- ARGV[1] id   ARGV[2] ms until the deadline   ARGV[3] ms that an index entry is kept
-- ARGV[4] fingerprint of what is asked for   ARGV[5] ms that an idempotency key is kept
-- ARGV[6…] field, value, field, value, …
-- Returns {outcome, id, accepted_at}: outcome is "accepted", "replayed" (the key was used for
-- the same) or "conflict" (the key was used for something else).
local known = redis.call('HGET', KEYS[1], 'created_at')
if known then
  return {'accepted', ARGV[1], tonumber(known)}
end
if KEYS[6] then
  local used = redis.call('HMGET', KEYS[6], 'id', 'fingerprint', 'accepted_at')
  if used[1] then
    local same = used[2] == ARGV[4]
    return {same and 'replayed' or 'conflict', used[1], tonumber(used[3])}
  end
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'status', 'queued', 'created_at', now,
  'deadline', now + ARGV[2], 'timeline', 'queued=' .. now .. ';', 'fence', 1, unpack(ARGV, 6))
redis.call('ZADD', KEYS[2], now, ARGV[1])
redis.call('SADD', KEYS[3], ARGV[1])
for i = 4, 5 do
  redis.call('ZADD', KEYS[i], now, ARGV[1])
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now - ARGV[3])
end
if KEYS[6] then
  redis.call('HSET', KEYS[6], 'id', ARGV[1], 'fingerprint', ARGV[4], 'accepted_at', now)
  redis.call('PEXPIRE', KEYS[6], ARGV[5])
end
return {'accepted', ARGV[1], now}
