-- List a track. KEYS: root. ARGV: clock, track, after, limit.
-- Returns {1 or 0: whether there is a session, then position, create, payload of each event that has not expired}.
local CHUNK = 500
local g = live()
if not g then return {0} end
probe(g .. ':t:' .. ARGV[2])
local rows, left, low = {1}, tonumber(ARGV[4]), '(' .. ARGV[3] .. '-0'
while left > 0 do
  local found = redis.call('XRANGE', g .. ':t:' .. ARGV[2], low, '+', 'COUNT', math.min(left, CHUNK))
  if #found == 0 then break end
  for _, entry in ipairs(found) do
    if not is_over(entry[2][4]) then
      rows[#rows + 1] = position_of(entry)
      rows[#rows + 1] = entry[2][2]
      rows[#rows + 1] = entry[2][6]
      left = left - 1
    end
  end
  low = '(' .. found[#found][1]
end
return rows
