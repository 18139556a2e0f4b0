-- Look through some of the unfinished: put what is in no lane back into its lane, and what is
-- missing in its origin's indexes (line.lua, accept.lua) back into them. What is due further
-- ahead than anything may be was written before this server's clock was set back: due now. What
-- is queued, and due at its deadline or later, waits in its line.
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

local function index(at, id, status)
  redis.call('SADD', at.unfinished, id)
  if status ~= 'queued' then
    redis.call(in_flight[status] and 'SADD' or 'SREM', at.in_flight, id)
    redis.call(in_flight[status] and 'SADD' or 'SREM', at.all, id)
    redis.call('ZREM', at.line, id)
  end
end

-- Whether a queued one has its place: in its line until its deadline, or due before that.
local function has_its_place(at, id, deadline)
  local score = redis.call('ZSCORE', at.due, id)
  if not score then
    return false, 'put back'
  elseif redis.call('ZSCORE', at.line, id) then
    return tonumber(score) <= tonumber(deadline)
  end
  return tonumber(score) < tonumber(deadline) and score - now <= tonumber(longest[at.due])
end

local function audit_queued(at, id, record)
  local has_place, is_out = has_its_place(at, id, record[4])
  if not has_place then
    give_up_room(at, id)
    stand_in_line(at, record[2] or '', id, record[3], record[5], record[4])
    put_back = put_back + (is_out and 1 or 0)
    pulled_back = pulled_back + (is_out and 0 or 1)
  end
end

local function audit_due(due, at, id)
  if redis.call('ZADD', due, 'NX', at, id) == 1 then
    put_back = put_back + 1
  elseif redis.call('ZSCORE', due, id) - now > tonumber(longest[due]) then
    redis.call('ZADD', due, at, id)
    pulled_back = pulled_back + 1
  end
end

for _, id in ipairs(scan[2]) do
  local record = redis.call('HMGET', ARGV[3] .. id, 'status', 'origin', 'created_at', 'deadline',
    'priority')
  local status, at = record[1], places(ARGV[3], record[2] or '')
  local is_delivery = string.sub(id, 1, #ARGV[4]) == ARGV[4]
  if status and not is_delivery then
    index(at, id, status)
  end
  if not status then
    redis.call('SREM', KEYS[1], id)
    forgotten = forgotten + 1
  elseif is_delivery then
    audit_due(KEYS[4], now, id)
  elseif status == 'queued' and tonumber(record[4] or '') then
    audit_queued(at, id, record)
  elseif status == 'submitting' or status == 'queued' then
    -- Due before its worker is done, it would count as abandoned.
    audit_due(KEYS[2], status == 'queued' and now or now + ARGV[5], id)
  else
    audit_due(KEYS[3], now, id)
  end
end
return {scan[1], #scan[2], put_back, pulled_back, forgotten}
