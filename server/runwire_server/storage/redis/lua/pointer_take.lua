-- Claim a request id for a run. KEYS: the pointer, the cancel mark.
-- ARGV: token, names of the session, encoded run, its create time (micros), '1' when it must be the session's first.
-- Returns {1, token, names, run, mode, reason, first} when this call wrote it, else {0, …} with those of the pointer: `run` is
-- '' once it has been made. The mark stays until then.
local is_new = redis.call('HSETNX', KEYS[1], 'token', ARGV[1])
if is_new == 1 then
  redis.call('HSET', KEYS[1], 'names', ARGV[2], 'run', ARGV[3], 'mode', '', 'reason', '', 'first', ARGV[5])
  local mark = redis.call('HMGET', KEYS[2], 'mode', 'reason', 'until')
  if mark[1] and tonumber(mark[3]) > tonumber(ARGV[4]) then
    redis.call('HSET', KEYS[1], 'mode', mark[1], 'reason', mark[2])
  end
end
local found = redis.call('HMGET', KEYS[1], 'token', 'names', 'run', 'mode', 'reason', 'first')
table.insert(found, 1, is_new)
return found
