-- Replace a run's mail. KEYS: root. ARGV: clock, id, the version expected, mail, its version, due (micros) or ''.
-- Returns 1, 0 when it has another version or the run has ended, -1 when there is no run.
local found = redis.call('HMGET', run, 'ended', 'letters')
if not found[1] then return -1 end
if found[1] == '1' or (found[2] or '0') ~= ARGV[3] then return 0 end
redis.call('HSET', run, 'mail', ARGV[4], 'letters', ARGV[5])
if ARGV[6] ~= '' then redis.call('HSET', run, 'due', ARGV[6]) end
return 1
