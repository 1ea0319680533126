-- Delete a tier's state when it has expired. KEYS: the state. ARGV: clock (micros).
-- Returns {1 or 0, when to come again or ''}.
local expire = redis.call('HGET', KEYS[1], 'expire')
if not expire or expire == '' then return {0, ''} end
if tonumber(expire) > tonumber(ARGV[1]) then return {0, expire} end
redis.call('UNLINK', KEYS[1])
return {1, ''}
