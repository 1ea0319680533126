-- Write the state of a user or an app. KEYS: the state, the entries of outboxes that were applied.
-- ARGV: the version expected or '', document, new version, names, expire (micros) or '', for how long to keep (millis)
--   or '', entry of an outbox or ''.
-- Returns 1; 0 for another version; 2 when that entry was applied before.
-- An entry is remembered for ever until it is out of its outbox, and then for an hour, in which whoever read it there
-- has either applied it or given up.
if ARGV[7] ~= '' and redis.call('ZSCORE', KEYS[2], ARGV[7]) then return 2 end
if (redis.call('HGET', KEYS[1], 'version') or '') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'document', ARGV[2], 'version', ARGV[3], 'names', ARGV[4], 'expire', ARGV[5])
if ARGV[6] == '' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], ARGV[6]) end
if ARGV[7] ~= '' then redis.call('ZADD', KEYS[2], '+inf', ARGV[7]) end
return 1
