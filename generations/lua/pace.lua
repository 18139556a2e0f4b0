-- A part of other scripts: when RunComfy may be called next, over all workers.
--
-- upstream  a hash, shared with line.lua, with
--             paused_until   (ms) no call before, because RunComfy answered 429
--             claimed_until  (µs) claims are given out at the rate that RunComfy may be called
--             called_until   at, and so are the calls themselves: each takes 1/rate. Two, since
--                            a claim is some way from its call, and may never get there
--             odd            who gets the odd one, where submissions and polls both want more
--             gap            (ms) the usual one between polls of a generation, unstretched
--             others         calls that were no polls, since
--             measured_at    (µs) this instant, when these were worked out:
--             poll_rate      how many polls a second there are calls for
--             stretch        by how much gaps between polls are to be longer than they would be
-- Each caller brings the rate that it was set up with, or none.

-- No further ahead than this are claims given out (µs), nor calls.
local CLAIMS_AHEAD, CALLS_AHEAD = 250000, 2000000
-- Further ahead than this (µs), and a hundred calls, an instant is of a clock that was set back.
local ABSURD = 60000000
local LONGEST_PAUSE = 3600000 -- ms
-- After a pause, calls come back at so many a second, twice as many each second.
local FIRST_RATE, RISE = 10, 15

local function read_pace(upstream, rate)
  local time = redis.call('TIME')
  local micros = time[1] * 1000000 + time[2]
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local kept = redis.call('HMGET', upstream, 'paused_until', 'claimed_until', 'called_until')
  local since = now - tonumber(kept[1] or 0)
  local is_paused = since < 0 and since >= -LONGEST_PAUSE
  rate = tonumber(rate or '')
  if since >= 0 and since < RISE * 1000 then
    rate = math.min(rate or math.huge, FIRST_RATE * 2 ^ (since / 1000))
  end
  local each = rate and 1000000 / rate
  local function from(text)
    local at = tonumber(text or 0)
    return at > micros + ABSURD + 100 * (each or 0) and micros or math.max(at, micros)
  end
  return {
    upstream = upstream, micros = micros, is_paused = is_paused, pause = is_paused and -since or 0,
    each = each,
    claimed_until = from(kept[2]), called_until = from(kept[3]),
  }
end

-- How many calls may be claimed.
local function claimable(pace)
  if pace.is_paused then
    return 0
  elseif not pace.each then
    return math.huge
  end
  pace.claimed_until = math.max(pace.claimed_until, pace.called_until)
  local ahead = pace.micros + CLAIMS_AHEAD - pace.claimed_until
  return ahead < 0 and 0 or math.floor(ahead / pace.each) + 1
end

local function note_claimed(pace, calls)
  if pace.each and calls > 0 then
    redis.call('HSET', pace.upstream, 'claimed_until',
      string.format('%.0f', pace.claimed_until + calls * pace.each))
  end
end

-- How long the next call has to wait (µs); nil where it may not be made any time soon.
local function next_call(pace, ahead)
  if pace.is_paused then
    return nil
  elseif not pace.each then
    return 0
  end
  local wait = pace.called_until - pace.micros
  if wait > ahead then
    return nil
  end
  pace.called_until = pace.called_until + pace.each
  return math.ceil(wait)
end

local function note_calls(pace)
  if pace.each then
    redis.call('HSET', pace.upstream, 'called_until', string.format('%.0f', pace.called_until))
  end
end

local function pause_all(upstream, pause_ms)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local before = tonumber(redis.call('HGET', upstream, 'paused_until') or 0)
  if before < now + pause_ms or before > now + LONGEST_PAUSE then
    redis.call('HSET', upstream, 'paused_until', now + pause_ms)
  end
end

