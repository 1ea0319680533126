-- Write a cancel. KEYS: root. ARGV: clock, id, the mode expected or '', new mode, reason.
-- Returns 1, or 0 when the run has ended, is gone or has another mode.
if redis.call('HGET', run, 'ended') ~= '0' then return 0 end
if (redis.call('HGET', run, 'mode') or '') ~= ARGV[3] then return 0 end
redis.call('HSET', run, 'mode', ARGV[4], 'reason', ARGV[5])
return 1
