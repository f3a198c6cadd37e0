-- Forgets one customer, all or nothing, and marks it as forgotten.
--
-- KEYS: state, customer, due, offsets, segments, forgotten
-- ARGV: customer, digest, forgotten until (ms), writer
-- The partition's writer is replaced: a worker that has the customer in memory is refused its next
-- write, drops what it remembers of the partition and reads it again.
local state, record, due, offsets, segments, forgotten =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local customer, digest, until_ms, writer = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

redis.call('HSET', forgotten, digest, until_ms)
local members = {}
for _, segment in ipairs(redis.call('HKEYS', segments)) do
  members[segment] = true
end
for segment in string.gmatch(redis.call('HGET', record, 'segments') or '', '[^,]+') do
  members[segment] = true
end
local left = 0
for segment in pairs(members) do
  left = left + redis.call('ZREM', '$segment' .. segment .. '$members', customer)
end
local removed = redis.call('DEL', state, record) + redis.call('ZREM', due, customer)
redis.call('HSET', offsets, 'writer', writer)
return {removed, left}
