-- Read a session without its events. KEYS: root. ARGV: clock.
-- Returns {the outbox, the fields or nothing}.
local g = live()
if not g then return {outbox()} end
return {outbox(), fields(g)}
