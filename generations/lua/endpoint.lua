-- What entering and leaving an endpoint's server share. The keys of one server:
--
-- endpoint:{server}: a hash, gone a day after it was last called, with
--   answered, failed    callbacks since window_at (ms)
--   answered_before, failed_before   in the window before
--   opened_at   (ms) when the breaker opened; absent: it is closed
--   probe_at    (ms) when the next callback may find out whether the server is back
--   probe       the id of the delivery that finds it out now; absent: none does
--   trips       how many probes in a row found that it is not
--   woken_for   the probe_at for which a waiting delivery was made due
-- endpoint_slots:{server}: a sorted set of the deliveries being attempted, by the instant (ms)
--   when a slot ends of itself, its worker being dead
-- endpoint_waiting:{server}: a sorted set of the deliveries that wait, by their creation (ms).
--   It says whom to hurry next, and no more: each is in due:deliveries too, with an instant at
--   which it looks for itself, should nobody hurry it.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local DAY = 24 * 60 * 60 * 1000

-- Make the first of those that wait due at an instant; how many there were.
local function wake(waiting, due, count, at)
  local woken = 0
  -- Ids of deliveries that are gone meanwhile are dropped, so many of them at most.
  for _ = 1, count + 100 do
    local first = woken < count and redis.call('ZPOPMIN', waiting) or {}
    if not first[1] then
      break
    end
    local score = tonumber(redis.call('ZSCORE', due, first[1]) or '')
    if score then
      redis.call('ZADD', due, 'XX', math.min(score, at), first[1])
      woken = woken + 1
    end
  end
  return woken
end
