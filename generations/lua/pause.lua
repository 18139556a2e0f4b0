-- RunComfy asked to be left alone. A pause that lasts longer stands.
--
-- KEYS[1] upstream (pace.lua)   ARGV[1] ms
pause_all(KEYS[1], ARGV[1])
