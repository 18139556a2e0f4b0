-- Take what is due: each entry's instant moves to now + lease, each record's fence grows.
-- Whoever dies with a claim loses it when the lease ends; a late holder's fence fits no more.
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
-- ARGV[6] how many of a lane to look through for what needs no call, while the breaker is open
-- ARGV[7] takes without a settle that make a record suspect   ARGV[8] how many suspects to claim
-- ARGV[2i + 7] how many to take from lane i
-- ARGV[2i + 8] what its actions are to RunComfy: "none", "poll" or "submission"
-- Returns, per lane, a flat list of id, fence, takes, ms since it was due, id, fence, …
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local suspects = tonumber(ARGV[8])

local function claim(due, id, claimed)
  local record = ARGV[2] .. id
  local kept = redis.call('HMGET', record, 'fence', 'takes')
  if not kept[1] then
    -- The record is gone (it expired): nothing is left to do for it.
    redis.call('ZREM', due, id)
    return
  end
  local takes = tonumber(kept[2] or 0)
  if takes >= tonumber(ARGV[7]) then
    if suspects < 1 then
      -- Out of the way of those that are due behind it.
      redis.call('ZADD', due, now + 1000, id)
      return
    end
    suspects = suspects - 1
  end
  local late = now - redis.call('ZSCORE', due, id)
  redis.call('ZADD', due, now + ARGV[1], id)
  claimed[#claimed + 1] = id
  claimed[#claimed + 1] = redis.call('HINCRBY', record, 'fence', 1)
  claimed[#claimed + 1] = takes
  claimed[#claimed + 1] = late
end

local function needs_no_call(id)
  local record = redis.call('HMGET', ARGV[2] .. id, 'status', 'deadline', 'cancel_requested_at')
  return record[1] == 'submitting' or tonumber(record[2] or '') and tonumber(record[2]) <= now
    or record[1] == 'queued' and (record[3] or '') ~= ''
end

-- A page of the lane a call: one call must not look through a hundred thousand.
local function claim_what_needs_no_call(due, limit, claimed)
  local page = 'page:' .. due
  local start = tonumber(redis.call('HGET', KEYS[1], page) or 0)
  local size = math.min(limit, tonumber(ARGV[6]))
  local found = redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', start, size)
  for _, id in ipairs(found) do
    if needs_no_call(id) then
      claim(due, id, claimed)
    end
  end
  local is_last = #found < size
  redis.call('HSET', KEYS[1], page, is_last and 0 or start + size - #claimed / 4)
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

local claims = {}
for i = 1, #KEYS - 2 do
  local due, claimed = KEYS[2 + i], {}
  local limit, kind = tonumber(ARGV[2 * i + 7]), ARGV[2 * i + 8]
  local is_guarded = is_open and kind ~= 'none'
  if is_guarded and limit > 0 then
    claim_what_needs_no_call(due, limit, claimed)
    limit = may_probe(kind) and 1 or 0
  end
  local before = #claimed
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, limit)) do
    claim(due, id, claimed)
  end
  if is_guarded and #claimed > before then
    -- One call at a time finds out whether RunComfy is back.
    note_probe(kind)
  end
  claims[i] = claimed
end
return claims
