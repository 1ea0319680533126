-- Read an index. KEYS: index. ARGV: '1' for highest first, from, to (as ZRANGEBYSCORE), offset, limit.
-- Returns {the server's time in micros, then member and score of each}.
local found
if ARGV[1] == '1' then
  found = redis.call('ZREVRANGEBYSCORE', KEYS[1], ARGV[2], ARGV[3], 'WITHSCORES', 'LIMIT', ARGV[4], ARGV[5])
else
  found = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[2], ARGV[3], 'WITHSCORES', 'LIMIT', ARGV[4], ARGV[5])
end
local time = redis.call('TIME')
table.insert(found, 1, string.format('%.0f', tonumber(time[1]) * 1000000 + tonumber(time[2])))
return found
