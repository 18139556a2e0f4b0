-- Set limits of an origin, and let go on at once what has room under them.
-- With nothing to set, only the latter.
--
-- ARGV[1] what keys begin with   ARGV[2] the origin (see line.lua for its keys)
-- ARGV[…] field, value, field, value, …; an empty value removes a limit
local at = places(ARGV[1], ARGV[2])
for i = 3, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', at.origin, ARGV[i])
  else
    redis.call('HSET', at.origin, ARGV[i], ARGV[i + 1])
  end
end
call_up(at, ARGV[2])
