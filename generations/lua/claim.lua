-- Take what is due: each entry's instant moves to now + lease, each record's fence grows.
-- Whoever dies with a claim loses it when the lease ends; a late holder's fence fits no more.
--
-- Submissions are taken from the lines (line.lua). What is due in their own lane waits in none:
-- its wait or its lease is over, or its deadline. It joins its line, unless no call is needed.
--
-- KEYS[1] breaker: a hash, absent while RunComfy answers, with
--           failures     in a row, of calls to RunComfy
--           probe_at     (ms) when the next call may find out whether RunComfy is back
--           submissions  how many of these calls were submissions
--           page:{due:{lane}}  how far into a lane was looked for what needs no call
-- KEYS[2] due:polls
-- KEYS[2 + i] due:{lane}: sorted sets of ids by the instant (ms) of their next action
-- ARGV[1] ms of the lease   ARGV[2] what record keys begin with
-- ARGV[3] failures that open the breaker   ARGV[4] ms between probes while it is open
-- ARGV[5] ms between them at most, where submissions have to be the probes
-- ARGV[6] how many of a lane to look through for what needs no call, while it is not called
-- ARGV[7] takes without a settle that make a record suspect   ARGV[8] how many suspects to claim
-- ARGV[9] how many generations RunComfy may have at a time   ARGV[10] how many calls a second it
-- may get; empty where there is no such limit
-- ARGV[11] ARGV[12] how many gaps between polls this worker chose since it asked last, and how
-- long they are together (ms), unstretched
-- ARGV[2i + 11] how many to take from lane i
-- ARGV[2i + 12] what its actions are to RunComfy: "none", "poll" or "submission"
-- Returns {stretch (stretch.lua; text), claims, claims, …}: per lane, a flat list of id, fence,
-- takes, ms since it was due (in line: since it was accepted), id, fence, …
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local prefix, suspects = ARGV[2], tonumber(ARGV[8])
local most = tonumber(ARGV[9])
local all_in_flight = places(prefix, '').all
local pace = read_pace(places(prefix, '').upstream, ARGV[10])

local function claim(due, id, claimed, is_in_line)
  local record = prefix .. id
  local kept = redis.call('HMGET', record, 'fence', 'takes', 'created_at')
  if not kept[1] then
    -- The record is gone (it expired): nothing is left to do for it.
    redis.call('ZREM', due, id)
    return false
  end
  local takes = tonumber(kept[2] or 0)
  if takes >= tonumber(ARGV[7]) then
    if suspects < 1 then
      -- Out of the way of those that are due behind it.
      redis.call('ZADD', due, now + 1000, id)
      return false
    end
    suspects = suspects - 1
  end
  local since = is_in_line and kept[3] or redis.call('ZSCORE', due, id)
  local late = now - (tonumber(since or '') or now)
  redis.call('ZADD', due, now + ARGV[1], id)
  claimed[#claimed + 1] = id
  claimed[#claimed + 1] = redis.call('HINCRBY', record, 'fence', 1)
  claimed[#claimed + 1] = takes
  claimed[#claimed + 1] = late
  return true
end

local function needs_no_call(status, deadline, cancel_requested_at)
  return status == 'submitting' or tonumber(deadline or '') and tonumber(deadline) <= now
    or status == 'queued' and (cancel_requested_at or '') ~= ''
end

-- A page of the lane a call: one call must not look through a hundred thousand.
local function claim_what_needs_no_call(due, limit, claimed)
  local page = 'page:' .. due
  local start = tonumber(redis.call('HGET', KEYS[1], page) or 0)
  local size = math.min(limit, tonumber(ARGV[6]))
  local found = redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', start, size)
  for _, id in ipairs(found) do
    local record = redis.call('HMGET', prefix .. id, 'status', 'deadline', 'cancel_requested_at')
    if needs_no_call(unpack(record)) then
      claim(due, id, claimed)
    end
  end
  local is_last = #found < size
  if start > 0 or not is_last then
    redis.call('HSET', KEYS[1], page, is_last and 0 or start + size - #claimed / 4)
  end
end

local function claim_due(due, limit, claimed)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, limit)) do
    claim(due, id, claimed)
  end
end

-- What is due in the lane of submissions ends without a call, or joins its line.
local function sort_out(due, limit, claimed)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, limit)) do
    local record = redis.call('HMGET', prefix .. id, 'status', 'deadline', 'cancel_requested_at',
      'origin', 'created_at', 'priority')
    local at = places(prefix, record[4] or '')
    local is_whole = record[1] and tonumber(record[2] or '') and tonumber(record[5] or '')
    if not is_whole or needs_no_call(record[1], record[2], record[3]) then
      redis.call('ZREM', at.line, id)
      claim(due, id, claimed)
    else
      give_up_room(at, id)
      stand_in_line(at, record[4] or '', id, record[5], record[6], record[2])
    end
  end
end

local origins = {}
local function look_up(name)
  if not origins[name] then
    local at = places(prefix, name)
    local kept = redis.call('HMGET', at.origin, 'weight', 'max_in_flight')
    local own_most = tonumber(kept[2] or '')
    at.weight = tonumber(kept[1] or '') or 1
    at.room = own_most and own_most - redis.call('SCARD', at.in_flight) or math.huge
    origins[name] = at
  end
  return origins[name]
end

-- The next of one origin, at most so many; how many were taken, and how many looked at.
local function serve_origin(at, due, limit, claimed)
  local served = 0
  local popped = redis.call('ZPOPMIN', at.line, math.min(limit, at.room))
  for i = 1, #popped, 2 do
    if claim(due, popped[i], claimed, true) then
      redis.call('SADD', at.in_flight, popped[i])
      redis.call('SADD', at.all, popped[i])
      served = served + 1
    end
  end
  at.room = at.room - served
  return served, #popped / 2
end

-- Origins in turn: each goes on until it is another's; how many were taken.
local function serve(due, limit, claimed)
  local lines, left, all_served = places(prefix, '').lines, limit, 0
  if most then
    left = math.min(left, most - redis.call('SCARD', all_in_flight))
  end
  while left > 0 do
    local next_two = redis.call('ZRANGE', lines, 0, 1, 'WITHSCORES')
    local name, turn = next_two[1], tonumber(next_two[2])
    if not name then
      break
    end
    local at, run, served, seen = look_up(name), left, 0, 0
    if next_two[4] then
      run = math.min(left, math.floor((tonumber(next_two[4]) - turn) * at.weight) + 1)
    end
    if at.room > 0 then
      served, seen = serve_origin(at, due, run, claimed)
    end
    if seen > 0 then
      redis.call('HSET', at.upstream, 'turn', exact(turn + math.max(served - 1, 0) / at.weight))
      redis.call('ZADD', lines, exact(turn + served / at.weight), name)
    else
      stand_out(at, name, turn)
    end
    left, all_served = left - seen, all_served + served
  end
  return all_served
end

local breaker = redis.call('HMGET', KEYS[1], 'failures', 'probe_at')
local is_open = tonumber(breaker[1] or 0) >= tonumber(ARGV[3])
local probe_at = tonumber(breaker[2] or 0)

local function may_probe(kind)
  local wait = probe_at - now
  -- Further ahead than it is ever put, it is of a clock that was set back since.
  if wait > 0 and wait <= math.max(ARGV[4], ARGV[5]) then
    return false
  end
  -- A poll costs nothing: where one is due before long, no submission is risked.
  return kind == 'poll'
    or #redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now + ARGV[5], 'LIMIT', 0, 1) == 0
end

local function note_probe(kind)
  local wait = tonumber(ARGV[4])
  if kind == 'submission' then
    local before = redis.call('HINCRBY', KEYS[1], 'submissions', 1) - 1
    wait = math.min(wait * 2 ^ before, tonumber(ARGV[5]))
  end
  probe_at = now + wait
  redis.call('HSET', KEYS[1], 'probe_at', probe_at)
end

-- Of the calls that may be made, submissions get half, and what polls do not want.
local function share_of_submissions(calls)
  if calls == math.huge or calls == 0 then
    return calls
  end
  local wanted = 0
  for i = 1, #KEYS - 2 do
    if ARGV[2 * i + 12] == 'poll' then
      wanted = math.min(tonumber(ARGV[2 * i + 11]), redis.call('ZCOUNT', KEYS[2], '-inf', now))
    end
  end
  local odd = tonumber(redis.call('HGET', pace.upstream, 'odd') or 0)
  if calls % 2 == 1 then
    redis.call('HSET', pace.upstream, 'odd', 1 - odd)
  end
  return math.max(math.floor((calls + odd) / 2), calls - wanted)
end

local calls = claimable(pace)
local left, submissions = calls, 0
local claims = {stretch_polls(pace, KEYS[2], ARGV[10], ARGV[11], ARGV[12])}
for i = 1, #KEYS - 2 do
  local due, claimed = KEYS[2 + i], {}
  local limit, kind = tonumber(ARGV[2 * i + 11]), ARGV[2 * i + 12]
  local is_guarded = is_open and kind ~= 'none'
  if kind == 'submission' then
    sort_out(due, limit, claimed)
    limit = limit - #claimed / 4
  elseif kind == 'poll' and (is_open or pace.is_paused) and limit > 0 then
    claim_what_needs_no_call(due, limit, claimed)
  end
  if is_guarded and limit > 0 then
    limit = may_probe(kind) and 1 or 0
  end
  local before = #claimed
  if kind == 'submission' then
    submissions = serve(due, math.min(limit, share_of_submissions(left)), claimed)
    left = left - submissions
  elseif kind == 'poll' then
    claim_due(due, math.min(limit, left), claimed)
    left = left - (#claimed - before) / 4
  else
    claim_due(due, limit, claimed)
  end
  if is_guarded and #claimed > before then
    -- One call at a time finds out whether RunComfy is back.
    note_probe(kind)
  end
  claims[i + 1] = claimed
end
if calls ~= math.huge then
  note_claimed(pace, calls - left)
  note_others(pace, submissions)
end
return claims
