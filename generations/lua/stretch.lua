-- A part of claim.lua and call.lua, after pace.lua: where polls ask for more calls than there
-- are, all gaps between them are stretched by one factor.
--
-- As many generations as are polled, each at its usual gap, want polled/gap polls a second;
-- stretched, they want what there are calls for, less a tenth so that nothing piles up.
local FULL, MEASURED_EVERY = 0.9, 1000000 -- µs
local LONGEST_STRETCH = 1000

local function note_others(pace, calls)
  if pace.each and calls > 0 then
    redis.call('HINCRBY', pace.upstream, 'others', calls)
  end
end

local function stretch_polls(pace, polls, rate, gaps, total)
  rate = tonumber(rate)
  if not rate then
    return '1'
  end
  local kept = redis.call('HMGET', pace.upstream, 'gap', 'others', 'measured_at', 'poll_rate',
    'stretch')
  local gap, poll_rate = tonumber(kept[1] or ''), tonumber(kept[4] or '')
  gaps = tonumber(gaps)
  if gaps > 0 then
    local mean = total / gaps
    gap = gap and gap + (mean - gap) * gaps / (gaps + 100) or mean
    redis.call('HSET', pace.upstream, 'gap', gap)
  end
  local since = pace.micros - tonumber(kept[3] or 0)
  if since >= 0 and since < MEASURED_EVERY then
    return kept[5] or '1'
  end
  local seen = rate
  if kept[3] and since > 0 then
    seen = rate - tonumber(kept[2] or 0) * 1000000 / since
  end
  -- Submissions and results leave polls some, whatever the last second looked like.
  poll_rate = math.max((poll_rate or rate) * 0.8 + seen * 0.2, rate / 4)
  local wanted = gap and redis.call('ZCARD', polls) * 1000 / math.max(gap, 1) or 0
  local stretch = math.min(math.max(wanted / (poll_rate * FULL), 1), LONGEST_STRETCH)
  redis.call('HSET', pace.upstream, 'others', 0, 'poll_rate', poll_rate, 'stretch', stretch,
    'measured_at', string.format('%.0f', pace.micros))
  return tostring(stretch)
end

