-- Make a run at the end of its session's queue, once. KEYS: root.
-- ARGV: clock, id, token of the creation, '1' for a caller who will work on it, record, fingerprint, input,
--   cancel mode or '', cancel reason, mail or '', its version, due (micros) or '', '1' when it must be the first.
-- Returns {1, row…} to exactly one caller who will work on it, {0, row…} to all others, {-1} without a session,
-- {-2, record of the run at work} when it must be the first and is not. A token that was refused is refused for ever:
-- whoever stalled between two steps makes nothing after the others gave up; {-3} is for who comes after a {-2}.
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
local refused = redis.call('GET', refusal)
if refused then return {refused == 'busy' and -3 or -1} end
if not live() then
  redis.call('SET', refusal, '1', 'PX', REFUSED_MILLIS)
  return {-1}
end
local busy = ARGV[13] == '1' and at_work()
if busy then
  redis.call('SET', refusal, 'busy', 'PX', REFUSED_MILLIS)
  return {-2, busy}
end
redis.call('HSET', run, 'record', ARGV[5], 'fingerprint', ARGV[6], 'input', ARGV[7], 'version', '1', 'attempt', '0',
  'last', '0', 'ended', '0', 'end', '', 'due', ARGV[12])
if ARGV[10] ~= '' then redis.call('HSET', run, 'mail', ARGV[10], 'letters', ARGV[11]) end
if ARGV[8] ~= '' then redis.call('HSET', run, 'mode', ARGV[8], 'reason', ARGV[9]) end
if ARGV[4] ~= '1' then redis.call('HSET', run, 'fresh', ARGV[3]) end
redis.call('ZADD', root .. ':q', redis.call('HINCRBY', root, 'runs', 1), ARGV[2])
return answer(ARGV[4] == '1' and 1 or 0)
