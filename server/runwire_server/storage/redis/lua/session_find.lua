-- Find an event by its id. KEYS: root. ARGV: clock, id.
-- Returns {0} without a session, {1} without such an event, or {1, position, kind, payload, envelope}.
local g = live()
if not g then return {0} end
local position = redis.call('HGET', g .. ':i', ARGV[2])
if not position then return {1} end
local body = redis.call('XRANGE', g .. ':e', position .. '-0', position .. '-0')[1][2]
return {1, position, body[6], body[8], body[10]}
