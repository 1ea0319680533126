-- Take a run. KEYS: root. ARGV: clock, id, the version expected, new record, new attempt, '1' when it waits its turn.
-- Returns 1; 0 for another version; -1 when it waits its turn and an earlier run of the session has not ended.
if redis.call('HGET', run, 'version') ~= ARGV[3] then return 0 end
if ARGV[6] == '1' and redis.call('ZRANGE', root .. ':q', 0, 0)[1] ~= ARGV[2] then return -1 end
redis.call('HSET', run, 'record', ARGV[4], 'attempt', ARGV[5])
redis.call('HINCRBY', run, 'version', 1)
return 1
