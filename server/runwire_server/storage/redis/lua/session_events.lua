-- List events by position. KEYS: root.
-- ARGV: clock, after, before or '', since (micros) or '', '1' for user messages only, '1' for newest first, limit.
-- Returns {1 or 0: whether there is a session, then for each event: position, kind, payload, envelope}.
local CHUNK = 500
local g = live()
if not g then return {0} end
local rows, left, since = {1}, tonumber(ARGV[7]), tonumber(ARGV[4])
local low, high = '(' .. ARGV[2] .. '-0', ARGV[3] == '' and '+' or '(' .. ARGV[3] .. '-0'
local newest_first = ARGV[6] == '1'

local function take(entry)
  if left == 0 or (since and tonumber(entry[2][2]) < since) then return end
  local body = entry[2]
  rows[#rows + 1] = position_of(entry)
  rows[#rows + 1] = body[6]
  rows[#rows + 1] = body[8]
  rows[#rows + 1] = body[10]
  left = left - 1
end

local function walk_all()
  while left > 0 do
    local found
    if newest_first then
      found = redis.call('XREVRANGE', g .. ':e', high, low, 'COUNT', math.min(left, CHUNK))
    else
      found = redis.call('XRANGE', g .. ':e', low, high, 'COUNT', math.min(left, CHUNK))
    end
    if #found == 0 then return end
    for _, entry in ipairs(found) do take(entry) end
    if newest_first then high = '(' .. found[#found][1] else low = '(' .. found[#found][1] end
  end
end

local function walk_users()
  local from, to = '(' .. ARGV[2], ARGV[3] == '' and '+inf' or '(' .. ARGV[3]
  local positions
  if newest_first then
    positions = redis.call('ZREVRANGEBYSCORE', g .. ':u', to, from)
  else
    positions = redis.call('ZRANGEBYSCORE', g .. ':u', from, to)
  end
  for _, position in ipairs(positions) do
    if left == 0 then return end
    take(redis.call('XRANGE', g .. ':e', position .. '-0', position .. '-0')[1])
  end
end

if ARGV[5] == '1' then walk_users() else walk_all() end
return rows
