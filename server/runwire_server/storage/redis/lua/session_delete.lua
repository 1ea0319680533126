-- Delete the live generation. KEYS: root. ARGV: clock, '1' for good, how long it can be restored (micros).
-- Returns whether there was a session.
local g = live()
local _, number = named()
if ARGV[2] == '1' then
  for _, waiting in ipairs(redis.call('ZRANGE', root .. ':d', 0, -1)) do drop(root .. ':g:' .. waiting) end
  redis.call('UNLINK', root .. ':d')
end
if g and ARGV[2] ~= '1' and ARGV[3] ~= '0' then
  redis.call('HSET', g, 'deleted', text(clock))
  redis.call('ZADD', root .. ':d', redis.call('HINCRBY', root, 'deletions', 1), number)
  let_expire(g, text(clock + tonumber(ARGV[3])))
  redis.call('HDEL', root, 'live')
else
  drop_named()
end
if redis.call('EXISTS', root .. ':d', root .. ':o', root .. ':q') == 0 and not redis.call('HGET', root, 'live') then
  redis.call('UNLINK', root)
end
return g and 1 or 0
