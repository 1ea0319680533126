-- Append to a track. KEYS: root. ARGV: clock, at, track, when each expires or '', payloads…
-- Returns the last position before them, or nothing when there is no session.
local g = live()
if not g then return nil end
local track = g .. ':t:' .. ARGV[3]
probe(track)
local first = tonumber(redis.call('HGET', g .. ':t', ARGV[3]) or '0')
for n = 5, #ARGV do
  redis.call('XADD', track, text(first + n - 4) .. '-0', 't', ARGV[2], 'x', ARGV[4], 'p', ARGV[n])
end
redis.call('HSET', g .. ':t', ARGV[3], text(first + #ARGV - 4))
touch(g, ARGV[2])
return text(first)
