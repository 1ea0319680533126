-- Free the request id, unless another creation has it. KEYS: the pointer. ARGV: token.
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])
