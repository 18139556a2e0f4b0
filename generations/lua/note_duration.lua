-- Keep one more end of a model, for the model as a whole and for the kind of its input.
--
-- KEYS[1] durations:{model_id}, a hash: a kind of input, "" for all of them -> its latest ends,
--         the newest first, each of as many letters (durations.py)
-- ARGV[1] the end   ARGV[2] letters kept of each kind   ARGV[3] kinds kept
-- ARGV[4] how long nobody need ask before all of it is forgotten, in ms   ARGV[5...] the kinds
-- Asked for again because its answer was lost, it keeps an end twice, which does no harm.
for n = 5, #ARGV do
  local kind = ARGV[n]
  local ends = redis.call('HGET', KEYS[1], kind)
  if not ends and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then
    -- Any of them: one that is in use is soon learned anew.
    local others = redis.call('HRANDFIELD', KEYS[1], 2)
    redis.call('HDEL', KEYS[1], others[1] ~= '' and others[1] or others[2])
  end
  redis.call('HSET', KEYS[1], kind, string.sub(ARGV[1] .. (ends or ''), 1, tonumber(ARGV[2])))
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
