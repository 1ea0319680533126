-- One append: fence, log, record, session, outbox. KEYS: root.
-- ARGV: clock, id, attempt, after, record, last sequence, '1' when it ends, end (micros) or '', at, event limit,
--   '1' when it writes to the session, '1' with state, the state's version expected ('' for no session), new state,
--   new version, outbox entry or '', due (micros) or '', the version of the mail that is replaced or '', new mail,
--   its version,
--   number of events, then kind, payload, envelope of each; number of those in the log, which come first;
--   then for each event of the session: its number among the events, micros, id, user.
-- Returns 'ok', 'missing', 'fenced', 'stale' (the mail) or 'conflict'; but for 'ok' nothing is written.
local found = redis.call('HMGET', run, 'attempt', 'last', 'ended', 'letters')
if not found[1] then return 'missing' end
if found[1] ~= ARGV[3] or found[2] ~= ARGV[4] or found[3] == '1' then return 'fenced' end
if ARGV[18] ~= '' and ARGV[18] ~= (found[4] or '0') then return 'stale' end
local g = nil
if ARGV[11] == '1' then g = live() end
if ARGV[12] == '1' and (g and redis.call('HGET', g, 'version') or '') ~= ARGV[13] then return 'conflict' end

local count = tonumber(ARGV[21])
local function event(n) return ARGV[19 + 3 * n], ARGV[20 + 3 * n], ARGV[21 + 3 * n] end
local at = 22 + 3 * count
for n = 1, tonumber(ARGV[at]) do
  local kind, payload, envelope = event(n)
  redis.call('XADD', log, text(tonumber(ARGV[4]) + n) .. '-0', 'k', kind, 'p', payload, 'v', envelope)
end
redis.call('HSET', run, 'record', ARGV[5], 'last', ARGV[6], 'ended', ARGV[7], 'end', ARGV[8], 'due', ARGV[17])
if ARGV[18] ~= '' then redis.call('HSET', run, 'mail', ARGV[19], 'letters', ARGV[20]) end
redis.call('HINCRBY', run, 'version', 1)
if ARGV[7] == '1' then redis.call('ZREM', root .. ':q', ARGV[2]) end
to_outbox(ARGV[16])
if not g then return 'ok' end
local rows = {}
for n = at + 1, #ARGV, 4 do
  local kind, payload, envelope = event(tonumber(ARGV[n]))
  rows[#rows + 1] = {ARGV[n + 1], ARGV[n + 2], ARGV[n + 3], kind, payload, envelope}
end
append_events(g, rows, tonumber(ARGV[10]))
if ARGV[12] == '1' then redis.call('HSET', g, 'state', ARGV[14], 'version', ARGV[15]) end
touch(g, ARGV[9])
return 'ok'
