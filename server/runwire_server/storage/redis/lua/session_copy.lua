-- Read a whole session. KEYS: root. ARGV: clock.
-- Returns {outbox}, or {outbox, fields, events, tracks}: events as position, kind, payload, envelope; for each track
-- {name, last position, then position, create, payload of each event that has not expired}.
local g = live()
if not g then return {outbox()} end
local events = {}
for _, entry in ipairs(redis.call('XRANGE', g .. ':e', '-', '+')) do
  events[#events + 1] = position_of(entry)
  events[#events + 1] = entry[2][6]
  events[#events + 1] = entry[2][8]
  events[#events + 1] = entry[2][10]
end
local tracks = {}
local names = redis.call('HGETALL', g .. ':t')
for n = 1, #names, 2 do
  local track = {names[n], names[n + 1]}
  for _, entry in ipairs(redis.call('XRANGE', g .. ':t:' .. names[n], '-', '+')) do
    if not is_over(entry[2][4]) then
      track[#track + 1] = position_of(entry)
      track[#track + 1] = entry[2][2]
      track[#track + 1] = entry[2][6]
    end
  end
  tracks[#tracks + 1] = track
end
return {outbox(), fields(g), events, tracks}
