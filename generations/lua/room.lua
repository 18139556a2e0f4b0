-- A part of other scripts: make due, the oldest first, what waits for room with RunComfy and
-- has it now. Made due as of their creation, they go before what was accepted after them.
--
-- origin     origin:{origin}: a hash; max_in_flight is how many may be with RunComfy at a time
-- in_flight  in_flight:{origin}: a set of the ids of those that are
-- parked     parked:{origin}: a sorted set, by creation (ms), of those that wait
-- due        due:submissions
local function make_room_known(origin, in_flight, parked, due)
  local most = tonumber(redis.call('HGET', origin, 'max_in_flight') or '')
  local room = most and most - redis.call('SCARD', in_flight)
  if room and room < 1 then
    return
  end
  local waiting = redis.call('ZRANGE', parked, 0, room and room - 1 or -1, 'WITHSCORES')
  for i = 1, #waiting, 2 do
    redis.call('ZREM', parked, waiting[i])
    redis.call('ZADD', due, waiting[i + 1], waiting[i])
  end
end

