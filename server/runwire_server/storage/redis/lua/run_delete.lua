-- Delete a run that ended before a time, and its log. KEYS: root. ARGV: clock, id, that time (micros).
-- Returns 1 when it did, 0 when there is no such run, -1 when it has not ended before.
local found = redis.call('HMGET', run, 'ended', 'end')
if not found[1] then return 0 end
if found[1] ~= '1' or found[2] == '' or tonumber(found[2]) >= tonumber(ARGV[3]) then return -1 end
redis.call('UNLINK', run, log)
return 1
