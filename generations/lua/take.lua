-- Make claims one's own, and read their records: of two copies of one message, one gets them.
--
-- KEYS[1] due:{lane}   KEYS[1 + i] the records
-- ARGV[1] ms of the new lease   ARGV[2] the fence that this step leaves behind
-- ARGV[3] takes without a settle that make a record suspect: further ones do not count, since
--         they are made alone, and whoever sees one end in a death counts that (settle.lua)
-- ARGV[4] "poll" where each is a call to RunComfy   ARGV[5] how many calls a second that may get;
--         empty: any number. What would have to wait for long is not taken, and due again
-- ARGV[6] what keys begin with
-- ARGV[2i + 5], ARGV[2i + 6] id and fence of KEYS[1 + i]
-- Returns {now, records, waits}: this instant (ms), which alone may be compared with those on
-- record; per record its fields (flat), or an empty list where the claim is lost; and per record
-- how long its call has to wait (µs).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local is_poll = ARGV[4] == 'poll'
local pace = is_poll and read_pace(places(ARGV[6], '').upstream, ARGV[5])

-- How long the call that a record needs has to wait; nil where there is none before long.
local function wait_of(record)
  local wait = is_poll and next_call(pace, CALLS_AHEAD) or not is_poll and 0
  if wait then
    return wait
  end
  -- What is over is written without a call.
  local deadline = tonumber(redis.call('HGET', record, 'deadline') or '')
  return deadline and deadline <= now and 0 or nil
end

local records, waits = {}, {}
for i = 2, #KEYS do
  local id, fence = ARGV[2 * i + 3], ARGV[2 * i + 4]
  local kept = redis.call('HMGET', KEYS[i], 'fence', 'takes')
  local held = kept[1]
  records[i - 1], waits[i - 1] = {}, 0
  -- The second test recognises this very step, asked for again because its answer was lost.
  if held == fence or held == ARGV[2] then
    local wait = wait_of(KEYS[i])
    if not wait then
      redis.call('ZADD', KEYS[1], 'XX', now, id)
    else
      if held == fence and tonumber(kept[2] or 0) < tonumber(ARGV[3]) then
        redis.call('HINCRBY', KEYS[i], 'takes', 1)
      end
      redis.call('HSET', KEYS[i], 'fence', ARGV[2])
      redis.call('ZADD', KEYS[1], 'XX', now + ARGV[1], id)
      records[i - 1], waits[i - 1] = redis.call('HGETALL', KEYS[i]), wait
    end
  end
end
if is_poll then
  note_calls(pace)
end
return {now, records, waits}
