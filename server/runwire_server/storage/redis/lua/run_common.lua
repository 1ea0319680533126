-- After common.lua, before every script of a run. ARGV[2]: the run's id in this slot.
local run = root .. ':r:' .. ARGV[2]
local log = run .. ':l'
probe(run, log)

local function row()
  return redis.call('HMGET', run, 'record', 'fingerprint', 'input', 'mode', 'reason', 'version', 'mail', 'due')
end
