-- Set limits of an origin, and let go on at once what has room under them.
-- With nothing to set, only the latter.
--
-- KEYS[1] origin:{origin}   KEYS[2] in_flight:{origin}   KEYS[3] parked:{origin}
-- KEYS[4] due:submissions (see room.lua for all of them)
-- ARGV[…] field, value, field, value, …; an empty value removes a limit
for i = 1, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[1], ARGV[i])
  else
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
end
make_room_known(KEYS[1], KEYS[2], KEYS[3], KEYS[4])
