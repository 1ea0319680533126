-- Change a session. KEYS: root. ARGV: clock, at, '1' to change the name, name, '1' to change the expiry, ttl, expire.
-- Returns {outbox, fields}, or {outbox} when there is no session.
local g = live()
if not g then return {outbox()} end
if ARGV[3] == '1' then redis.call('HSET', g, 'name', ARGV[4]) end
if ARGV[5] == '1' then redis.call('HSET', g, 'ttl', ARGV[6], 'expire', ARGV[7]) end
touch(g, ARGV[2])
return {outbox(), fields(g)}
