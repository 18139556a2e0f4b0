-- Take out of an index what is not unfinished any more. The other scripts leave
-- nothing of the kind behind; whatever else did would take up the origin's room for ever.
--
-- KEYS[1] unfinished   KEYS[2] unfinished:{origin}, in_flight:{origin}, in_flight or
--         line:{origin}
-- ARGV[1] SSCAN or ZSCAN   ARGV[2] its cursor   ARGV[3] about how many to look at
-- Returns {cursor, taken out}; the cursor is "0" at the end of a pass.
local scan = redis.call(ARGV[1], KEYS[2], ARGV[2], 'COUNT', ARGV[3])
local every, taken_out = ARGV[1] == 'ZSCAN' and 2 or 1, 0
for i = 1, #scan[2], every do
  if redis.call('SISMEMBER', KEYS[1], scan[2][i]) == 0 then
    redis.call(every == 2 and 'ZREM' or 'SREM', KEYS[2], scan[2][i])
    taken_out = taken_out + 1
  end
end
return {scan[1], taken_out}
