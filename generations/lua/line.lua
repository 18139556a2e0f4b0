-- A part of other scripts: the lines in which generations wait to be submitted.
--
-- What is ready waits in its origin's line, and the origins take turns, so that nobody waits
-- for another's line. While it waits, its entry in the due index is its deadline.
--
-- at.line       line:{origin}: a sorted set of ids, the next one first: by creation (ms), less
--               ten minutes for each step of priority. So waiting counts as much as priority
-- at.lines      lines: a sorted set of the origins in whose lines somebody waits, by their next
--               turns. An origin without room leaves it until it has some
-- at.upstream   upstream: a hash (pace.lua), here with
--                 turn            that of the origin that was served last
--                 turn:{origin}   its next one, as it was when it left
--               Turns are numbers: an origin's grow by 1/weight with each that is served
-- at.in_flight  in_flight:{origin}: a set of ids: what RunComfy has, or may have, and what is
--               claimed to be submitted next
-- at.all        in_flight: the same of all origins
-- at.due        due:submissions
-- at.origin, at.unfinished  origin:{origin}, unfinished:{origin} (accept.lua)
local AGEING = 600000

local function places(prefix, origin)
  return {
    origin = prefix .. 'origin:' .. origin,
    unfinished = prefix .. 'unfinished:' .. origin,
    line = prefix .. 'line:' .. origin,
    lines = prefix .. 'lines',
    upstream = prefix .. 'upstream',
    in_flight = prefix .. 'in_flight:' .. origin,
    all = prefix .. 'in_flight',
    due = prefix .. 'due:submissions',
  }
end

local function exact(number)
  return string.format('%.17g', number)
end

local function take_part(at, origin)
  local kept = redis.call('HMGET', at.upstream, 'turn', 'turn:' .. origin)
  local turn = math.max(tonumber(kept[1] or 0), tonumber(kept[2] or 0))
  redis.call('ZADD', at.lines, 'NX', exact(turn), origin)
end

local function stand_out(at, origin, turn)
  redis.call('ZREM', at.lines, origin)
  redis.call('HSET', at.upstream, 'turn:' .. origin, exact(turn))
end

local function give_up_room(at, id)
  redis.call('SREM', at.in_flight, id)
  redis.call('SREM', at.all, id)
end

local function stand_in_line(at, origin, id, created_at, priority, deadline)
  if not tonumber(created_at or '') or not tonumber(deadline or '') then
    -- No record of ours: whoever claims it finds out what is the matter with it.
    redis.call('ZADD', at.due, 0, id)
    return
  end
  redis.call('ZADD', at.line, created_at - (tonumber(priority or '') or 0) * AGEING, id)
  redis.call('ZADD', at.due, deadline, id)
  take_part(at, origin)
end

-- Somebody of the origin may have room now.
local function call_up(at, origin)
  if redis.call('ZCARD', at.line) > 0 then
    take_part(at, origin)
  end
end

