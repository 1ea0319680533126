-- Put members into an index, newest last. KEYS: index. ARGV: members… Returns the score of the last.
-- Each gets a score of its own, the server's time in microseconds: who removes what it read names that score, and so
-- never removes what was put in again meanwhile.
local time = redis.call('TIME')
local score = tonumber(time[1]) * 1000000 + tonumber(time[2])
local newest = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
if newest and tonumber(newest) >= score then score = tonumber(newest) + 1 end
for n = 1, #ARGV do redis.call('ZADD', KEYS[1], string.format('%.0f', score + n - 1), ARGV[n]) end
return string.format('%.0f', score + #ARGV - 1)
