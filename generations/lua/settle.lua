-- Apply one step to a record and to its place in the due index: all of it or nothing.
--
-- KEYS[1] the record (see accept.lua)
-- KEYS[2] due:{lane} where the record is now
-- KEYS[3] due:{lane} where its next action belongs
-- KEYS[4] due:deliveries   KEYS[5] the record of the delivery that the step creates
-- KEYS[6] unfinished: a set of the ids of all unfinished generations and deliveries
-- KEYS[7] deliveries: a sorted set of all ids of deliveries by creation (ms), tests' too
-- KEYS[8] deliveries:{origin}: the same for one origin
-- KEYS[9] exhausted: a sorted set of the ids of exhausted deliveries that are kept, by when they
--         were given up (ms), tests left out
-- KEYS[10] exhausted:{origin}: the same for one origin
-- ARGV[1] what keys begin with   ARGV[2] the origin (see line.lua for its keys)
-- ARGV[3] the step, as JSON (strings but for numbers named ms and the "add" counts):
--   id, next_fence
--   fence       holder's fence; absent: the step is not a holder's, only "from" guards it
--   died        the holder, who had nothing else, died of it: "takes" grows, and is not forgotten
--   to          status to move to; absent: stay
--   from        { status: true } that the record may be in; absent: any
--   having      { field: text } that the record must still hold; absent: whatever
--   set         { field: text }   add { field: number }
--   append      { field: a line of JSON }: to those that are there, of which the last keep_lines stay
--   stamp       [ field ]: set to this instant
--   tally       { field: another }: set to the number that the other field's last line has
--   due_ms      until the next action, which is no later than a generation's deadline, but for
--               what is being submitted; absent: none
--   cancel_known  due_ms was chosen in the knowledge of the cancel that is pending
--   only_due    the next action's instant changes only if the record is in KEYS[3] already, and
--               not while it is taken: the holder's own step knows of a cancel and hurries it.
--               Nor for a cancel that is pending already: it was hurried when it was asked for
--   keep_ms     how long the record is kept from now, when "to" finishes it; a generation whose
--               end is still to be told is kept until it was, and so long from then
--   delivery    { id, fields = { field: text } }; with an empty endpoint it is for the origin's
--               default endpoint, and there is none where the origin has none
--   index_ms    how long an entry of KEYS[7] and KEYS[8] is kept
--   is_in_flight  whether "to" means that RunComfy may have it; absent: no generation's step
--   needs_room  the step needs room among what RunComfy may have, of the origin and of all, and
--               a call. Without them the record stays as it is and is back in its line
--   most        how many RunComfy may have of all; absent: any number
--   rate        how many calls a second it may get; absent: any number
--   pause_ms    RunComfy is to be left alone for so long by everybody
--   channel     where a move, or RunComfy's word on a cancel, is published as "id sequence", the
--               number of the last move in the timeline, once it is written; absent: nowhere
-- What is queued, and due at once, waits in its origin's line.
-- Returns {outcome, status, wait}, and of a move also the status that was left, how long (ms) the
-- record was in it, and the model where the catalog knows it, else ''. The outcome is "settled",
-- "fenced" (the claim is lost), "refused" (not in "from", not "having"), "full" (it is in its
-- line; the claim is given up), or "missing"; wait is how long the call that was asked for has to
-- wait (µs).

-- The id and the key of the generation whose last event a delivery tells; nothing for a test, an
-- earlier event, and what is no delivery.
local function generation_of(delivery, id)
  local generation = redis.call('HGET', delivery, 'generation_id') or ''
  local key = string.sub(delivery, 1, #delivery - #id) .. generation
  local deliveries = generation ~= '' and redis.call('HGET', key, 'deliveries') or ''
  if string.sub(deliveries, -#id - 1) == id .. ' ' then
    return generation, key
  end
end

-- A generation whose end was told, or is told no more, need not be kept for that any longer. Its
-- last delivery tells the end; one that was reopened meanwhile has not ended.
local function let_go_of_generation(delivery, unfinished, id, keep_ms)
  local generation, key = generation_of(delivery, id)
  if generation and redis.call('SISMEMBER', unfinished, generation) == 0 then
    redis.call('PEXPIRE', key, keep_ms)
  end
end

-- What is known of an entry is kept as long as the entry.
local function index(keys, id, at, keep_ms)
  for _, key in ipairs(keys) do
    redis.call('ZADD', key, at, id)
    redis.call('ZREMRANGEBYSCORE', key, '-inf', at - keep_ms)
  end
end

local function last_lines(lines, most)
  local _, surplus = string.gsub(lines, '\n', '')
  local from = 1
  for _ = 1, surplus - most do
    from = string.find(lines, '\n', from, true) + 1
  end
  return string.sub(lines, from)
end

local step = cjson.decode(ARGV[3])
local at = places(ARGV[1], ARGV[2])
local held = redis.call('HMGET', KEYS[1], 'fence', 'status')
local fence, status = held[1], held[2]
if not fence then
  return {'missing', '', 0}
end
if step.next_fence and fence == step.next_fence then
  -- This very step, asked for again because its answer was lost.
  if not step.needs_room or status ~= step.to then
    return {step.needs_room and 'full' or 'settled', status, 0}
  end
  local pace = read_pace(at.upstream, step.rate)
  local wait = next_call(pace, math.huge)
  note_calls(pace)
  return {'settled', status, wait or 0}
end
if step.fence and fence ~= step.fence then
  return {'fenced', status, 0}
end
if step.from and not step.from[status] then
  return {'refused', status, 0}
end
if step.to == 'pending' and step.to ~= status and not generation_of(KEYS[1], step.id) then
  -- Told again, it would be told after a later event, or of a generation that is gone.
  return {'refused', status, 0}
end
for field, text in pairs(step.having or {}) do
  if redis.call('HGET', KEYS[1], field) ~= text then
    return {'refused', status, 0}
  end
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local record = KEYS[1]
local function is_cancel_pending()
  local cancel = redis.call('HMGET', record, 'cancel_requested_at', 'cancel_outcome')
  return (cancel[1] or '') ~= '' and (cancel[2] or '') == ''
end
local is_on_its_way = redis.call('HEXISTS', record, 'takes') == 1 or is_cancel_pending()
if step.next_fence then
  redis.call('HSET', record, 'fence', step.next_fence)
  if step.died then
    redis.call('HINCRBY', record, 'takes', 1)
  else
    redis.call('HDEL', record, 'takes')
  end
end
local function wait_in_line()
  give_up_room(at, step.id)
  local kept = redis.call('HMGET', record, 'created_at', 'priority', 'deadline')
  stand_in_line(at, ARGV[2], step.id, unpack(kept))
end

local function is_there_room()
  -- Whoever was claimed to be submitted has it.
  if redis.call('SISMEMBER', at.in_flight, step.id) == 1 then
    return true
  end
  local most = tonumber(redis.call('HGET', at.origin, 'max_in_flight') or '')
  return (not most or redis.call('SCARD', at.in_flight) < most)
    and (not step.most or redis.call('SCARD', at.all) < step.most)
end

local call_wait = 0
if step.needs_room and step.to ~= status then
  local pace = read_pace(at.upstream, step.rate)
  call_wait = is_there_room() and next_call(pace, CALLS_AHEAD)
  if not call_wait then
    wait_in_line()
    if is_cancel_pending() then
      redis.call('ZREM', at.line, step.id)
      redis.call('ZADD', at.due, now, step.id)
    end
    return {'full', status, 0}
  end
  note_calls(pace)
end
if step.pause_ms then
  pause_all(at.upstream, step.pause_ms)
end
for field, text in pairs(step.set) do
  redis.call('HSET', record, field, text)
end
for _, field in ipairs(step.stamp) do
  redis.call('HSET', record, field, now)
end
for field, other in pairs(step.tally or {}) do
  local last = string.match(redis.call('HGET', record, other) or '', '([^\n]+)\n$')
  redis.call('HSET', record, field, last and cjson.decode(last).number or 0)
end
for field, count in pairs(step.add) do
  redis.call('HINCRBY', record, field, count)
end
for field, text in pairs(step.append) do
  local lines = (redis.call('HGET', record, field) or '') .. text
  redis.call('HSET', record, field, last_lines(lines, step.keep_lines))
end
local moved = false
local left = {}
if step.to and step.to ~= status then
  local was = redis.call('HMGET', record, 'timeline', 'created_at', 'schema', 'model_id')
  local timeline = was[1] or ''
  local since = string.match(timeline, '=(%d+);$') or was[2] or now
  left = {status, now - since, was[3] == 'known' and was[4] or ''}
  redis.call('HSET', record, 'status', step.to, 'timeline', timeline .. step.to .. '=' .. now .. ';')
  redis.call(step.keep_ms and 'SREM' or 'SADD', KEYS[6], step.id)
  if step.is_in_flight ~= nil then
    redis.call(step.keep_ms and 'SREM' or 'SADD', at.unfinished, step.id)
    redis.call(step.is_in_flight and 'SADD' or 'SREM', at.in_flight, step.id)
    redis.call(step.is_in_flight and 'SADD' or 'SREM', at.all, step.id)
    redis.call('ZREM', at.line, step.id)
  end
  redis.call('PERSIST', record)
  if step.to == 'pending' then
    local _, generation = generation_of(record, step.id)
    redis.call('PERSIST', generation)
    redis.call('ZREM', KEYS[9], step.id)
    redis.call('ZREM', KEYS[10], step.id)
  elseif step.to == 'exhausted' and redis.call('HGET', record, 'generation_id') ~= '' then
    index({KEYS[9], KEYS[10]}, step.id, now, step.keep_ms)
  end
  status = step.to
  moved = true
end
if step.delivery and step.delivery.fields.endpoint == '' then
  local default = redis.call('HGET', at.origin, 'default_endpoint')
  if default then
    step.delivery.fields.endpoint = default
    step.delivery.fields.to_default = '1'
  else
    step.delivery = nil
  end
end
-- The number of its last move, told by what this step tells.
local is_news = step.channel and (moved or step.set.cancel_outcome)
local sequence
if is_news or step.delivery then
  local _, moves = string.gsub(redis.call('HGET', record, 'timeline') or '', ';', '')
  sequence = moves
end
if step.delivery then
  local delivery = step.delivery
  for field, text in pairs(delivery.fields) do
    redis.call('HSET', KEYS[5], field, text)
  end
  redis.call('HSET', KEYS[5], 'status', 'pending', 'created_at', now, 'fence', 1,
    'sequence', sequence)
  redis.call('ZADD', KEYS[4], now, delivery.id)
  redis.call('SADD', KEYS[6], delivery.id)
  index({KEYS[7], KEYS[8]}, delivery.id, now, step.index_ms)
  redis.call('HSET', record, 'deliveries',
    (redis.call('HGET', record, 'deliveries') or '') .. delivery.id .. ' ')
end
if KEYS[3] ~= KEYS[2] or not step.due_ms then
  redis.call('ZREM', KEYS[2], step.id)
end
local is_ready = status == 'queued' and step.due_ms == 0 and not is_cancel_pending()
if status == 'queued' then
  give_up_room(at, step.id)
end
if is_ready then
  wait_in_line()
elseif step.due_ms then
  local wait = step.due_ms
  if is_cancel_pending() and status ~= 'submitting' and not step.cancel_known then
    -- A cancel that was asked for while a worker held the record is not kept waiting.
    wait = 0
  end
  local deadline = tonumber(redis.call('HGET', record, 'deadline') or '')
  -- What is finished has none any more: all that may be due is a look for its cost.
  local has_ended = redis.call('SISMEMBER', KEYS[6], step.id) == 0
  if deadline and status ~= 'submitting' and not has_ended then
    -- Only what is in its line is due at its deadline.
    local latest = deadline - now - (status == 'queued' and 1 or 0)
    wait = math.max(math.min(wait, latest), 0)
  end
  if not step.only_due then
    redis.call('ZADD', KEYS[3], now + wait, step.id)
  elseif status == 'queued' and redis.call('ZREM', at.line, step.id) == 1 then
    redis.call('ZADD', at.due, now, step.id)
  elseif not is_on_its_way then
    redis.call('ZADD', KEYS[3], 'XX', now + wait, step.id)
  end
end
if step.keep_ms and not step.delivery then
  let_go_of_generation(record, KEYS[6], step.id, step.keep_ms)
  redis.call('PEXPIRE', record, step.keep_ms)
end
if moved and step.is_in_flight ~= nil then
  call_up(at, ARGV[2])
end
if is_news then
  -- A server that forbids it must not undo half of a step: whoever listens looks again later.
  redis.pcall('PUBLISH', step.channel, step.id .. ' ' .. sequence)
end
return {'settled', status, call_wait, unpack(left)}
