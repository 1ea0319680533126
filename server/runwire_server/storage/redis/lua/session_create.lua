-- Make a generation, with events and tracks when it is a copy. KEYS: root.
-- ARGV: clock, names, create, update, ttl, expire, display name, state, its version, last position, outbox entry or '',
--   number of events, then for each: position, micros, id, user, kind, payload, envelope;
--   number of tracks, then for each: name, last position, number of events, and for each of those:
--   position, create, expire, payload.
-- Returns {1, fields}, or {0, fields} of the session that is there.
local there = live()
if there then return {0, fields(there)} end
local made = tonumber(redis.call('HGET', root, 'made') or '0') + 1
local g = root .. ':g:' .. text(made)
probe_generation(g)
drop_named()
redis.call('HSET', root, 'live', text(made), 'made', text(made), 'names', ARGV[2])
redis.call('HSET', g, 'create', ARGV[3], 'update', ARGV[4], 'ttl', ARGV[5], 'expire', ARGV[6], 'name', ARGV[7],
  'state', ARGV[8], 'version', ARGV[9], 'last', ARGV[10], 'mortal', '0')
to_outbox(ARGV[11])
local at = 13
for _ = 1, tonumber(ARGV[12]) do
  put_event(g, {ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5], ARGV[at + 6]})
  at = at + 7
end
local tracks = tonumber(ARGV[at])
at = at + 1
for _ = 1, tracks do
  local name = ARGV[at]
  redis.call('HSET', g .. ':t', name, ARGV[at + 1])
  local count = tonumber(ARGV[at + 2])
  at = at + 3
  for _ = 1, count do
    redis.call('XADD', g .. ':t:' .. name, ARGV[at] .. '-0', 't', ARGV[at + 1], 'x', ARGV[at + 2], 'p', ARGV[at + 3])
    at = at + 4
  end
end
let_expire(g, ARGV[6])
return {1, fields(g)}
