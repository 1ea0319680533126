-- Give a creation up that nobody finished. KEYS: root. ARGV: clock, id, token. Returns 1, or 0 when the run is there.
if redis.call('EXISTS', run) == 1 then return 0 end
redis.call('SET', root .. ':x:' .. ARGV[3], '1', 'PX', 86400000)
return 1
