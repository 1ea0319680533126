-- Make the generation that was deleted last live again. KEYS: root. ARGV: clock, at, how long it can be (micros).
-- Returns {1, fields}, {0} when nothing can be restored, {-1} when there is a session.
if live() then return {-1} end
for _, number in ipairs(redis.call('ZREVRANGE', root .. ':d', 0, -1)) do
  local g = root .. ':g:' .. number
  probe_generation(g)
  local deleted, ttl, expire = unpack(redis.call('HMGET', g, 'deleted', 'ttl', 'expire'))
  -- A fixed end comes while a session is deleted, too; a TTL begins again when it is restored.
  if deleted and tonumber(deleted) + tonumber(ARGV[3]) > clock and (ttl ~= '' or not is_over(expire)) then
    drop_named()
    redis.call('ZREM', root .. ':d', number)
    redis.call('HSET', root, 'live', number)
    redis.call('HDEL', g, 'deleted')
    renew(g, ARGV[2])
    return {1, fields(g)}
  end
end
return {0}
