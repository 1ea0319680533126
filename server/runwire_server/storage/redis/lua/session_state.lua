-- Write a session's own state. KEYS: root. ARGV: clock, at, the version expected, new state, new version.
-- Returns 1, 0 for another version, or -1 when there is no session.
local g = live()
if not g then return -1 end
if redis.call('HGET', g, 'version') ~= ARGV[3] then return 0 end
redis.call('HSET', g, 'state', ARGV[4], 'version', ARGV[5])
touch(g, ARGV[2])
return 1
