-- Delete the events after a position. KEYS: root. ARGV: clock, at, that position.
-- Returns {how many}, {-1} without a session, or {-2, the record of a run that has not ended}.
local CHUNK = 500
local g = live()
if not g then return {-1} end
local busy = at_work()
if busy then return {-2, busy} end
local count, low = 0, '(' .. ARGV[3] .. '-0'
while true do
  local found = redis.call('XRANGE', g .. ':e', low, '+', 'COUNT', CHUNK)
  if #found == 0 then break end
  for _, entry in ipairs(found) do drop_event(g, entry) end
  count = count + #found
end
touch(g, ARGV[2])
return {count}
