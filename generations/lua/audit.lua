-- Look through some of the unfinished: put what is in no lane back into its lane, and what is
-- missing in its origin's indexes (room.lua, accept.lua) back into them. What is due further
-- ahead than anything may be was written before this server's clock was set back: due now.
--
-- KEYS[1] unfinished   KEYS[2] due:submissions   KEYS[3] due:polls   KEYS[4] due:deliveries
-- ARGV[1] where to go on (SSCAN's cursor)   ARGV[2] about how many to look at
-- ARGV[3] what keys begin with   ARGV[4] what ids of deliveries begin with
-- ARGV[5] ms to wait with what a worker may be submitting right now
-- ARGV[6] ARGV[7] ARGV[8] ms that an entry of KEYS[2], KEYS[3], KEYS[4] is due ahead at most
-- ARGV[9…] the statuses in which RunComfy may have a generation
-- Returns {cursor, looked at, put back, pulled back, forgotten}; the cursor is "0" at the end
-- of a pass.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local scan = redis.call('SSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local put_back, pulled_back, forgotten = 0, 0, 0
local longest = {[KEYS[2]] = ARGV[6], [KEYS[3]] = ARGV[7], [KEYS[4]] = ARGV[8]}
local in_flight = {}
for i = 9, #ARGV do
  in_flight[ARGV[i]] = true
end
local function index(id, status)
  local origin = redis.call('HGET', ARGV[3] .. id, 'origin') or ''
  redis.call('SADD', ARGV[3] .. 'unfinished:' .. origin, id)
  redis.call(in_flight[status] and 'SADD' or 'SREM', ARGV[3] .. 'in_flight:' .. origin, id)
  if status ~= 'queued' then
    redis.call('ZREM', ARGV[3] .. 'parked:' .. origin, id)
  end
end
for _, id in ipairs(scan[2]) do
  local status = redis.call('HGET', ARGV[3] .. id, 'status')
  local due, at = KEYS[3], now
  if not status then
    redis.call('SREM', KEYS[1], id)
    forgotten = forgotten + 1
  else
    if string.sub(id, 1, #ARGV[4]) == ARGV[4] then
      due = KEYS[4]
    elseif status == 'queued' then
      due = KEYS[2]
    elseif status == 'submitting' then
      -- Due before its worker is done, it would count as abandoned.
      due, at = KEYS[2], now + ARGV[5]
    end
    if due ~= KEYS[4] then
      index(id, status)
    end
    if redis.call('ZADD', due, 'NX', at, id) == 1 then
      put_back = put_back + 1
    elseif redis.call('ZSCORE', due, id) - now > tonumber(longest[due]) then
      redis.call('ZADD', due, at, id)
      pulled_back = pulled_back + 1
    end
  end
end
return {scan[1], #scan[2], put_back, pulled_back, forgotten}
