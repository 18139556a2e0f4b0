-- Let claimed deliveries attempt their endpoints' server, or give them back to wait for it.
-- A delivery that waits used none of its attempts.
--
-- KEYS[1] endpoint:{server}   KEYS[2] endpoint_slots:{server}   KEYS[3] endpoint_waiting:{server}
-- KEYS[4] due:deliveries (see endpoint.lua)   KEYS[5 + i] the records
-- KEYS[5] endpoints: a sorted set of the servers that were called, by when they last were (ms)
-- ARGV[1] how many may be attempted at once   ARGV[2] ms until a slot ends of itself
-- ARGV[3] ms of age from which a delivery waits for no breaker: this is its last attempt
-- ARGV[4] ms between probes at most   ARGV[5] the server   ARGV[6] servers to remember at most
-- ARGV[3i + 4], ARGV[3i + 5], ARGV[3i + 6] id, fence and creation (ms) of KEYS[5 + i]
-- Returns, per record, 1 where it may be attempted, 0 where it waits or the claim is lost.
local concurrency, lease = tonumber(ARGV[1]), tonumber(ARGV[2])
-- How much later each of those that wait looks for itself, so that they do not come all at once.
local APART, LONGEST = 100, 60 * 60 * 1000

redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
-- Further ahead than they are ever put, they are of a clock that was set back since.
redis.call('ZREMRANGEBYSCORE', KEYS[2], now + lease + 1, '+inf')
local health = redis.call('HMGET', KEYS[1], 'opened_at', 'probe_at', 'woken_for')
local is_open = health[1] and true
local probe_at, woken_for = tonumber(health[2] or 0), tonumber(health[3] or 0)
if probe_at > now + math.max(tonumber(ARGV[4]), lease) then
  probe_at = now
end

local function may_enter(id, created)
  if redis.call('ZSCORE', KEYS[2], id) then
    -- This very step, asked for again because its answer was lost.
    return true
  end
  if redis.call('ZCARD', KEYS[2]) >= concurrency then
    return false
  end
  if not is_open or now - created >= tonumber(ARGV[3]) then
    return true
  end
  if now < probe_at then
    return false
  end
  -- Should nothing come of this probe, there is another one.
  probe_at = now + lease
  redis.call('HSET', KEYS[1], 'probe', id, 'probe_at', probe_at)
  return true
end

local function give_back(record, id, created)
  redis.call('HINCRBY', record, 'fence', 1)
  if redis.call('HINCRBY', record, 'takes', -1) < 1 then
    redis.call('HDEL', record, 'takes')
  end
  redis.call('ZADD', KEYS[3], created, id)
  local at = now + math.min(lease + APART * redis.call('ZCARD', KEYS[3]), LONGEST)
  if is_open and woken_for ~= probe_at then
    woken_for, at = probe_at, probe_at
    redis.call('HSET', KEYS[1], 'woken_for', woken_for)
  end
  redis.call('ZADD', KEYS[4], 'XX', at, id)
end

local entered = {}
for i = 1, #KEYS - 5 do
  local record, id, fence = KEYS[5 + i], ARGV[3 * i + 4], ARGV[3 * i + 5]
  local created = tonumber(ARGV[3 * i + 6])
  entered[i] = 0
  if redis.call('HGET', record, 'fence') == fence then
    if may_enter(id, created) then
      redis.call('ZADD', KEYS[2], now + lease, id)
      redis.call('ZREM', KEYS[3], id)
      entered[i] = 1
    else
      give_back(record, id, created)
    end
  end
end
redis.call('PEXPIRE', KEYS[1], DAY)
redis.call('PEXPIRE', KEYS[2], 2 * lease)
redis.call('PEXPIRE', KEYS[3], DAY)
redis.call('ZADD', KEYS[5], now, ARGV[5])
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', now - DAY)
redis.call('ZREMRANGEBYRANK', KEYS[5], 0, -ARGV[6] - 1)
return entered
