-- Take what is due: each entry's instant moves to now + lease, each record's fence grows.
-- Whoever dies with a claim loses it when the lease ends; a late holder's fence fits no more.
--
-- KEYS[1] breaker: a hash with failures (in a row, of calls to RunComfy) and probe_at (ms);
--         absent while RunComfy answers
-- KEYS[1 + i] due:{lane}: sorted sets of ids by the instant (ms) of their next action
-- ARGV[1] ms of the lease   ARGV[2] what record keys begin with
-- ARGV[3] failures that open the breaker   ARGV[4] ms between probes while it is open
-- ARGV[2i + 3] how many to take from lane i   ARGV[2i + 4] 1 if its actions call RunComfy
-- Returns, per lane, a flat list of id, fence, id, fence, …
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local breaker = redis.call('HMGET', KEYS[1], 'failures', 'probe_at')
local is_open = tonumber(breaker[1] or 0) >= tonumber(ARGV[3])
local probes = now >= tonumber(breaker[2] or 0) and 1 or 0

local claims = {}
for i = 1, #KEYS - 1 do
  local due = KEYS[1 + i]
  local limit = tonumber(ARGV[2 * i + 3])
  local guarded = is_open and ARGV[2 * i + 4] == '1'
  if guarded then
    limit = math.min(limit, probes)
  end
  local claimed = {}
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, limit)) do
    local record = ARGV[2] .. id
    if redis.call('HEXISTS', record, 'fence') == 1 then
      redis.call('ZADD', due, now + ARGV[1], id)
      claimed[#claimed + 1] = id
      claimed[#claimed + 1] = redis.call('HINCRBY', record, 'fence', 1)
      if guarded then
        -- One call at a time finds out whether RunComfy is back.
        probes = 0
        redis.call('HSET', KEYS[1], 'probe_at', now + ARGV[4])
      end
    else
      -- The record is gone (it expired): nothing is left to do for it.
      redis.call('ZREM', due, id)
    end
  end
  claims[i] = claimed
end
return claims
