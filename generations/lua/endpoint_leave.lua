-- Note how an attempt went for its endpoint's server, and hurry those that wait for its place.
--
-- KEYS[1] endpoint:{server}   KEYS[2] endpoint_slots:{server}   KEYS[3] endpoint_waiting:{server}
-- KEYS[4] due:deliveries (see endpoint.lua)
-- ARGV[1] id   ARGV[2] "answered", "failed", or "none" where the attempt says nothing about the
--         server   ARGV[3] how many may be attempted at once
-- ARGV[4] ms until the first probe   ARGV[5] ms between probes at most
-- ARGV[6] ms of a window   ARGV[7] callbacks in it that the breaker judges by, at least
-- ARGV[8] the share of failures from which it opens
-- Returns what the breaker did: "opened", "closed" or "".
if redis.call('ZREM', KEYS[2], ARGV[1]) == 0 then
  -- It is no longer counted, or this very step is asked for again.
  return ''
end
local id, verdict = ARGV[1], ARGV[2]
local window = tonumber(ARGV[6])
local health = redis.call('HMGET', KEYS[1], 'opened_at', 'probe', 'window_at')
local is_open, is_probe = health[1] and true, health[2] == id

local function look_again_at(at)
  redis.call('HDEL', KEYS[1], 'probe')
  local woken = wake(KEYS[3], KEYS[4], 1, at)
  redis.call('HSET', KEYS[1], 'probe_at', at, 'woken_for', woken > 0 and at or 0)
end

local function note()
  local age = now - tonumber(health[3] or 0)
  if age >= window or age < 0 then
    local before = age < 2 * window and age >= 0
      and redis.call('HMGET', KEYS[1], 'answered', 'failed') or {}
    redis.call('HSET', KEYS[1], 'window_at', now, 'answered', 0, 'failed', 0,
      'answered_before', before[1] or 0, 'failed_before', before[2] or 0)
  end
  redis.call('HINCRBY', KEYS[1], verdict, 1)
end

local function is_failing()
  local seen = redis.call('HMGET', KEYS[1], 'answered', 'failed', 'answered_before', 'failed_before')
  local failed = tonumber(seen[2] or 0) + tonumber(seen[4] or 0)
  local all = failed + tonumber(seen[1] or 0) + tonumber(seen[3] or 0)
  return all >= tonumber(ARGV[7]) and failed >= all * tonumber(ARGV[8])
end

local done = ''
if verdict ~= 'none' then
  note()
end
if is_open and verdict == 'answered' then
  -- Whoever answers is back, be it a probe or one that was under way before.
  redis.call('HDEL', KEYS[1], 'opened_at', 'probe_at', 'probe', 'trips', 'woken_for', 'failed',
    'failed_before')
  is_open, done = false, 'closed'
  wake(KEYS[3], KEYS[4], math.max(ARGV[3] - redis.call('ZCARD', KEYS[2]), 1), now)
elseif is_open and is_probe and verdict == 'failed' then
  local trips = redis.call('HINCRBY', KEYS[1], 'trips', 1)
  look_again_at(now + math.min(ARGV[4] * 2 ^ trips, ARGV[5]))
elseif is_open and is_probe then
  look_again_at(now)
elseif not is_open and verdict == 'failed' and is_failing() then
  redis.call('HSET', KEYS[1], 'opened_at', now)
  is_open, done = true, 'opened'
  look_again_at(now + ARGV[4])
elseif not is_open then
  wake(KEYS[3], KEYS[4], 1, now)
end
redis.call('PEXPIRE', KEYS[1], DAY)
return done
