-- Remember a cancel for a run that may come. KEYS: the pointer, the mark.
-- ARGV: the mode and end that were read ('' for none), new mode, reason, end (micros), for how long (millis).
-- Returns 1; 0 when there is a run now; -1 for another mark.
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local found = redis.call('HMGET', KEYS[2], 'mode', 'until')
if (found[1] or '') ~= ARGV[1] or (found[2] or '') ~= ARGV[2] then return -1 end
redis.call('HSET', KEYS[2], 'mode', ARGV[3], 'reason', ARGV[4], 'until', ARGV[5])
redis.call('PEXPIRE', KEYS[2], ARGV[6])
return 1
