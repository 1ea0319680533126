-- Before every script of a session's slot. KEYS[1]: the session's root hash, whose name begins those of all its keys:
--   root          live: the live generation; made: how many there were; runs: how many runs there were
--   root:g:N      a generation: its times, name and state. root:g:N:e events (stream, position-0), :i event id to
--                 position, :u positions of user messages, :t track to last position, :t:NAME events of a track
--   root:d        deleted generations, in the order of their deletion
--   root:o        the outbox: deltas for the tiers of user and app that have not been applied yet
--   root:q        runs that have not ended, in the order of their creation
--   root:r:ID     a run; root:r:ID:l its log (stream, sequence-0); root:x:TOKEN a creation that may not happen
-- ARGV[1]: the time by the store's clock, in microseconds since 1970. Numbers of microseconds are below 2^53.
local root, clock = KEYS[1], tonumber(ARGV[1])
local SLACK_MILLIS = 60000

local function text(number) return string.format('%.0f', number) end

-- While Redis Cluster moves a slot, a key that is still, or already, at the other node looks like one that does not
-- exist; only a command of several keys is refused then. So each script asks for all its keys in one command before it
-- believes what it reads, and before it writes: it fails as a whole, and the session waits until its slot has moved.
local function probe(...) redis.call('EXISTS', root, ...) end

local function probe_generation(g) probe(g, g .. ':e', g .. ':i', g .. ':u', g .. ':t') end

probe(root .. ':d', root .. ':o', root .. ':q')

local function is_over(expire) return expire ~= '' and tonumber(expire) <= clock end

-- The key of the generation that the root names, expired or not; nil when there is none.
local function named()
  local number = redis.call('HGET', root, 'live')
  if not number then return nil end
  local g = root .. ':g:' .. number
  probe_generation(g)
  return g, number
end

-- The key of the live generation, or nil.
local function live()
  local g = named()
  if not g then return nil end
  local expire = redis.call('HGET', g, 'expire')
  if not expire or is_over(expire) then return nil end
  return g
end

local function keys_of(g)
  local keys = {g, g .. ':e', g .. ':i', g .. ':u', g .. ':t'}
  for _, name in ipairs(redis.call('HKEYS', g .. ':t')) do
    keys[#keys + 1] = g .. ':t:' .. name
    probe(keys[#keys])
  end
  return keys
end

local function drop(g)
  for _, key in ipairs(keys_of(g)) do redis.call('UNLINK', key) end
end

-- Forget the generation that the root names.
local function drop_named()
  local g = named()
  if g then
    drop(g)
    redis.call('HDEL', root, 'live')
  end
end

-- Let Redis delete all of a generation some time after `expire`; '' for never. This only cleans.
local function let_expire(g, expire)
  if expire == '' then
    if redis.call('HGET', g, 'mortal') == '1' then
      for _, key in ipairs(keys_of(g)) do redis.call('PERSIST', key) end
      redis.call('HSET', g, 'mortal', '0')
    end
    return
  end
  redis.call('HSET', g, 'mortal', '1')
  local millis = text(math.max(math.floor((tonumber(expire) - clock) / 1000), 0) + SLACK_MILLIS)
  for _, key in ipairs(keys_of(g)) do redis.call('PEXPIRE', key, millis) end
end

-- Begin the TTL again, as of `at`.
local function renew(g, at)
  local ttl = redis.call('HGET', g, 'ttl')
  if ttl ~= '' then redis.call('HSET', g, 'expire', text(tonumber(at) + tonumber(ttl))) end
  let_expire(g, redis.call('HGET', g, 'expire'))
end

-- Note a write. Call it last: new keys expire, too.
local function touch(g, at)
  redis.call('HSET', g, 'update', at)
  renew(g, at)
end

-- row: position, micros, id, '1' for a user message, kind, payload, envelope
local function put_event(g, row)
  redis.call('XADD', g .. ':e', row[1] .. '-0', 't', row[2], 'i', row[3], 'k', row[5], 'p', row[6], 'v', row[7])
  redis.call('HSETNX', g .. ':i', row[3], row[1])
  if row[4] == '1' then redis.call('ZADD', g .. ':u', row[1], row[1]) end
end

local function position_of(entry) return string.sub(entry[1], 1, -3) end

local function drop_event(g, entry)
  local position, id = position_of(entry), entry[2][4]
  redis.call('XDEL', g .. ':e', entry[1])
  redis.call('ZREM', g .. ':u', position)
  if redis.call('HGET', g .. ':i', id) == position then redis.call('HDEL', g .. ':i', id) end
end

-- The record of the first run that has not ended, or nil.
local function at_work()
  local first = redis.call('ZRANGE', root .. ':q', 0, 0)[1]
  if not first then return nil end
  local run = root .. ':r:' .. first
  probe(run)
  return redis.call('HGET', run, 'record')
end

-- Really delete the oldest events beyond the limit, but not the newest user message: Retention.excess.
local function trim_events(g, limit)
  local excess = redis.call('XLEN', g .. ':e') - limit
  if limit == 0 or excess <= 0 then return end
  local newest = redis.call('ZREVRANGE', g .. ':u', 0, 0)[1]
  for _, entry in ipairs(redis.call('XRANGE', g .. ':e', '-', '+', 'COUNT', excess)) do
    if position_of(entry) ~= newest then drop_event(g, entry) end
  end
end

-- rows: micros, id, user, kind, payload, envelope each. They get the next positions; the last one is returned.
local function append_events(g, rows, limit)
  local last = tonumber(redis.call('HGET', g, 'last'))
  for _, row in ipairs(rows) do
    last = last + 1
    put_event(g, {text(last), row[1], row[2], row[3], row[4], row[5], row[6]})
  end
  redis.call('HSET', g, 'last', text(last))
  trim_events(g, limit)
  return text(last)
end

local function to_outbox(entry)
  if entry ~= '' then redis.call('RPUSH', root .. ':o', entry) end
end

local function fields(g)
  local found = redis.call('HMGET', g, 'create', 'update', 'ttl', 'expire', 'name', 'state', 'version', 'last')
  found[9] = text(redis.call('XLEN', g .. ':e'))
  return found
end

local function outbox() return redis.call('LRANGE', root .. ':o', 0, -1) end
