-- Make a run at the end of its session's queue, once. KEYS: root.
-- ARGV: clock, id, token of the creation, '1' for a caller who will work on it, record, fingerprint, input,
--   cancel mode or '', cancel reason.
-- Returns {1, row…} to exactly one caller who will work on it, {0, row…} to all others, {-1} without a session. A token
-- that was refused is refused for ever: whoever stalled between two steps makes nothing after the others gave up.
local REFUSED_MILLIS = 86400000
local function answer(is_new)
  local found = row()
  table.insert(found, 1, is_new)
  return found
end

if redis.call('EXISTS', run) == 1 then
  if ARGV[4] == '1' and redis.call('HGET', run, 'fresh') == ARGV[3] then
    redis.call('HDEL', run, 'fresh')
    return answer(1)
  end
  return answer(0)
end
local refusal = root .. ':x:' .. ARGV[3]
if redis.call('EXISTS', refusal) == 1 then return {-1} end
if not live() then
  redis.call('SET', refusal, '1', 'PX', REFUSED_MILLIS)
  return {-1}
end
redis.call('HSET', run, 'record', ARGV[5], 'fingerprint', ARGV[6], 'input', ARGV[7], 'version', '1', 'attempt', '0',
  'last', '0', 'ended', '0', 'end', '')
if ARGV[8] ~= '' then redis.call('HSET', run, 'mode', ARGV[8], 'reason', ARGV[9]) end
if ARGV[4] ~= '1' then redis.call('HSET', run, 'fresh', ARGV[3]) end
redis.call('ZADD', root .. ':q', redis.call('HINCRBY', root, 'runs', 1), ARGV[2])
return answer(ARGV[4] == '1' and 1 or 0)
