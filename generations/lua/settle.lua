-- Apply one step to a record and to its place in the due index: all of it or nothing.
--
-- KEYS[1] the record (see accept.lua)
-- KEYS[2] due:{lane} where the record is now
-- KEYS[3] due:{lane} where its next action belongs
-- KEYS[4] due:deliveries   KEYS[5] the record of the delivery that the step creates
-- KEYS[6] unfinished: a set of the ids of all unfinished generations and deliveries
-- ARGV[1] the step, as JSON (strings but for numbers named ms and the "add" counts):
--   id, next_fence
--   fence       holder's fence; absent: the step is not a holder's, only "from" guards it
--   to          status to move to; absent: stay
--   from        { status: true } that the record may be in; absent: any
--   set, append { field: text }   add { field: number }
--   stamp       [ field ]: set to this instant
--   due_ms      until the next action; absent: none
--   cancel_known  due_ms was chosen in the knowledge of the cancel that is pending
--   only_due    the next action's instant changes only if the record is in KEYS[3] already
--   keep_ms     how long the record is kept from now, when "to" finishes it
--   delivery    { id, fields = { field: text } }
--   channel     where a move is published as "id sequence", the number of the move in the
--               timeline, once it is written; absent: nowhere
-- Returns {outcome, status}: outcome is "settled", "fenced" (the claim is lost), "refused"
-- (not in "from"), or "missing".
local step = cjson.decode(ARGV[1])
local held = redis.call('HMGET', KEYS[1], 'fence', 'status')
local fence, status = held[1], held[2]
if not fence then
  return {'missing', ''}
end
if step.next_fence and fence == step.next_fence then
  -- This very step, asked for again because its answer was lost.
  return {'settled', status}
end
if step.fence and fence ~= step.fence then
  return {'fenced', status}
end
if step.from and not step.from[status] then
  return {'refused', status}
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local record = KEYS[1]
if step.next_fence then
  redis.call('HSET', record, 'fence', step.next_fence)
  redis.call('HDEL', record, 'takes')
end
for field, text in pairs(step.set) do
  redis.call('HSET', record, field, text)
end
for _, field in ipairs(step.stamp) do
  redis.call('HSET', record, field, now)
end
for field, count in pairs(step.add) do
  redis.call('HINCRBY', record, field, count)
end
for field, text in pairs(step.append) do
  redis.call('HSET', record, field, (redis.call('HGET', record, field) or '') .. text)
end
local moved = false
if step.to and step.to ~= status then
  local timeline = redis.call('HGET', record, 'timeline') or ''
  redis.call('HSET', record, 'status', step.to, 'timeline', timeline .. step.to .. '=' .. now .. ';')
  redis.call(step.keep_ms and 'SREM' or 'SADD', KEYS[6], step.id)
  redis.call('PERSIST', record)
  status = step.to
  moved = true
end
-- The number of its last move, told by what this step tells.
local sequence
if moved or step.delivery then
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
  redis.call('HSET', record, 'deliveries',
    (redis.call('HGET', record, 'deliveries') or '') .. delivery.id .. ' ')
end
if KEYS[3] ~= KEYS[2] or not step.due_ms then
  redis.call('ZREM', KEYS[2], step.id)
end
if step.due_ms then
  local wait = step.due_ms
  local cancel = redis.call('HMGET', record, 'cancel_requested_at', 'cancel_outcome')
  local pending = (cancel[1] or '') ~= '' and (cancel[2] or '') == ''
  if pending and status ~= 'submitting' and not step.cancel_known then
    -- A cancel that was asked for while a worker held the record is not kept waiting.
    wait = 0
  end
  if step.only_due then
    redis.call('ZADD', KEYS[3], 'XX', now + wait, step.id)
  else
    redis.call('ZADD', KEYS[3], now + wait, step.id)
  end
end
if step.keep_ms then
  redis.call('PEXPIRE', record, step.keep_ms)
end
if moved and step.channel then
  -- A server that forbids it must not undo half of a step: whoever listens looks again later.
  redis.pcall('PUBLISH', step.channel, step.id .. ' ' .. sequence)
end
return {'settled', status}
