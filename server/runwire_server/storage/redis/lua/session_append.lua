-- Append one event outside a run. KEYS: root.
-- ARGV: clock, at, event limit, '1' with state, the state's version expected, new state, new version, outbox entry or '',
--   micros, id, user, kind, payload, envelope.
-- Returns {'ok', position}, {'known', position, kind, payload, envelope}, {'missing'} or {'conflict'}.
local g = live()
if not g then return {'missing'} end
local known = redis.call('HGET', g .. ':i', ARGV[10])
if known then
  local entry = redis.call('XRANGE', g .. ':e', known .. '-0', known .. '-0')[1][2]
  return {'known', known, entry[6], entry[8], entry[10]}
end
if ARGV[4] == '1' and redis.call('HGET', g, 'version') ~= ARGV[5] then return {'conflict'} end
local row = {ARGV[9], ARGV[10], ARGV[11], ARGV[12], ARGV[13], ARGV[14]}
local position = append_events(g, {row}, tonumber(ARGV[3]))
if ARGV[4] == '1' then redis.call('HSET', g, 'state', ARGV[6], 'version', ARGV[7]) end
to_outbox(ARGV[8])
touch(g, ARGV[2])
return {'ok', position}
