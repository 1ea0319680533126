-- Delete for good what has expired of a session. KEYS: root.
-- ARGV: clock, how long a deleted session can be restored (micros), how many events at most.
-- Returns {sessions and events deleted, when to come again or '', 1 when there is a live session}.
local count, next_due = 0, nil
local function due(time)
  if time ~= '' and (not next_due or tonumber(time) < next_due) then next_due = tonumber(time) end
end

local g = live()
if not g and named() then
  drop_named()
  count = count + 1
end
for _, number in ipairs(redis.call('ZRANGE', root .. ':d', 0, -1)) do
  local waiting = root .. ':g:' .. number
  probe_generation(waiting)
  local deleted, ttl, expire = unpack(redis.call('HMGET', waiting, 'deleted', 'ttl', 'expire'))
  local ends = deleted and tonumber(deleted) + tonumber(ARGV[2]) or clock
  if ends > clock and (ttl ~= '' or not is_over(expire)) then
    due(text(ends))
    if ttl == '' then due(expire) end
  else
    drop(waiting)
    redis.call('ZREM', root .. ':d', number)
    count = count + 1
  end
end
if g then
  due(redis.call('HGET', g, 'expire'))
  local room = tonumber(ARGV[3])
  for _, name in ipairs(redis.call('HKEYS', g .. ':t')) do
    local track, first = g .. ':t:' .. name, nil
    repeat
      first = redis.call('XRANGE', track, '-', '+', 'COUNT', 1)[1]
      local is_late = first and is_over(first[2][4])
      if is_late and room > 0 then
        redis.call('XDEL', track, first[1])
        count, room = count + 1, room - 1
      end
    until not is_late or room == 0
    if first then due(first[2][4]) end
  end
end
if not g and redis.call('EXISTS', root .. ':d', root .. ':o', root .. ':q') == 0 then redis.call('UNLINK', root) end
return {count, next_due and text(next_due) or '', g and 1 or 0}
