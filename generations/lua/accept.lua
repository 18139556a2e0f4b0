-- Put a generation on record and into its origin's line (line.lua), in one step.
-- Calling it again with the same id changes nothing, so a lost answer may be retried; so does
-- another id with an idempotency key that was used before. What is refused stores nothing.
--
-- KEYS[1] the record: a hash, one field each for what the origin gave (records.py)
--         and, kept by the scripts alone:
--           status, created_at (ms), deadline (ms),
--           timeline   "status=ms;" for every move, in order
--           fence      a number that changes with every claim and settle
--           takes      how often it was taken since the last settle, as far as these count
--                      (take.lua), and how often whoever had it alone died of it
--           deliveries "dlv_… " for every delivery
-- KEYS[2] due:submissions: a sorted set of ids by the instant (ms) of their next action, which is
--         the deadline of what waits in its origin's line (line.lua)
-- KEYS[3] unfinished: a set of the ids of all unfinished generations and deliveries
-- KEYS[4] generations: a sorted set of all ids by creation (ms)
-- KEYS[5] generations:{origin}: the same for one origin
-- KEYS[6] origin:{origin}: a hash; its limits are read here, as far as it has any:
--           accepts_per_second   a token bucket that holds one second's worth, at least one
--           max_unfinished, max_in_flight
--           weight               its share of the submissions, beside others'; absent: 1
--           accepts_full_at      kept by this script: when the bucket is full again (µs)
-- KEYS[7] unfinished:{origin}: a set of the ids of the origin's unfinished generations
-- KEYS[8] idempotency:{origin}:{hash of the key}: a hash with id, fingerprint, accepted_at
--         (ms); absent without a key
-- ARGV[1] id   ARGV[2] ms until the deadline   ARGV[3] ms that an index entry is kept
-- ARGV[4] fingerprint of what is asked for   ARGV[5] ms that an idempotency key is kept
-- ARGV[6] what keys begin with   ARGV[7] the origin   ARGV[8] its priority: a whole number
-- ARGV[9…] field, value, field, value, …
-- Returns {outcome, id, accepted_at, quota, quota, …}: outcome is "accepted", "replayed" (the
-- key was used for the same), "conflict" (the key was used for something else) or "accepts" or
-- "unfinished" (over this limit). A quota is {limit's name, limit, what is left, ms until more
-- is left or -1}, for every limit that the origin has.
local known = redis.call('HGET', KEYS[1], 'created_at')
if known then
  return {'accepted', ARGV[1], tonumber(known)}
end
if KEYS[8] then
  local used = redis.call('HMGET', KEYS[8], 'id', 'fingerprint', 'accepted_at')
  if used[1] then
    local same = used[2] == ARGV[4]
    return {same and 'replayed' or 'conflict', used[1], tonumber(used[3])}
  end
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local limits = redis.call('HMGET', KEYS[6], 'accepts_per_second', 'max_unfinished',
  'accepts_full_at')
local rate, most = tonumber(limits[1] or ''), tonumber(limits[2] or '')
local refused, quotas, full_at = nil, {}, nil

if most then
  local left = most - redis.call('SCARD', KEYS[7])
  refused = left < 1 and 'unfinished' or nil
  quotas[1] = {'unfinished', limits[2], math.max(refused and left or left - 1, 0), -1}
end
if rate then
  -- The generic cell rate algorithm: a token takes "each" to come back, and all that were
  -- taken are back at full_at; the bucket holds as many as come back within "whole".
  local micros = time[1] * 1000000 + time[2]
  local each = 1000000 / rate
  local whole = math.max(each, 1000000)
  local full = math.max(tonumber(limits[3] or '0'), micros)
  -- A microsecond is what rounding may have cost.
  if not refused and full + each - micros > whole + 1 then
    refused = 'accepts'
  end
  if not refused then
    full = full + each
    full_at = string.format('%.0f', full)
  end
  local left = math.max(math.floor((whole - (full - micros)) / each + 0.001), 0)
  local wait = math.ceil((full + each - micros - whole) / 1000)
  quotas[#quotas + 1] = {'accepts', limits[1], left, math.max(wait, 0)}
end
if refused then
  return {refused, '', now, unpack(quotas)}
end
if full_at then
  redis.call('HSET', KEYS[6], 'accepts_full_at', full_at)
end

redis.call('HSET', KEYS[1], 'status', 'queued', 'created_at', now,
  'deadline', now + ARGV[2], 'timeline', 'queued=' .. now .. ';', 'fence', 1, unpack(ARGV, 9))
stand_in_line(places(ARGV[6], ARGV[7]), ARGV[7], ARGV[1], now, ARGV[8], now + ARGV[2])
redis.call('SADD', KEYS[3], ARGV[1])
redis.call('SADD', KEYS[7], ARGV[1])
for i = 4, 5 do
  redis.call('ZADD', KEYS[i], now, ARGV[1])
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now - ARGV[3])
end
if KEYS[8] then
  redis.call('HSET', KEYS[8], 'id', ARGV[1], 'fingerprint', ARGV[4], 'accepted_at', now)
  redis.call('PEXPIRE', KEYS[8], ARGV[5])
end
return {'accepted', ARGV[1], now, unpack(quotas)}
