-- One more call to RunComfy, beside those that were claimed: when it may be made.
--
-- KEYS[1] upstream (pace.lua)   ARGV[1] how many calls RunComfy may get a second
-- Returns {wait (µs), pause (ms)}; where there is a pause, there is no call before it ends.
local pace = read_pace(KEYS[1], ARGV[1])
if pace.is_paused then
  return {0, pace.pause}
end
local wait = next_call(pace, math.huge)
note_calls(pace)
note_others(pace, 1)
return {wait, 0}
