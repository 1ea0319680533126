-- Say that the run has been made: it is read at its place now. KEYS: the pointer, the cancel mark. ARGV: token.
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'run', '', 'mode', '', 'reason', '')
redis.call('UNLINK', KEYS[2])
return 1
