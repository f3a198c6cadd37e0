-- Forgets one customer, all or nothing, and may mark it as forgotten.
--
-- KEYS: state, customer, due, offsets, segments, forgotten, link, transfers
-- ARGV: customer, digest, forgotten until (ms; empty: no mark), writer, and if only an idle customer
-- is to go, when it must have been seen last before (ms)
-- The partition's writer is replaced: a worker that has the customer in memory is refused its next
-- write, drops what it remembers of the partition and reads it again.
local state, record, due, offsets, segments, forgotten =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local link, transfers = KEYS[7], KEYS[8]
local customer, digest, until_ms, writer, before_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

if before_ms then
  local seen = redis.call('HGET', record, 'last_seen')
  if not seen or tonumber(seen) >= tonumber(before_ms) then
    return {0, 0}
  end
end
if until_ms ~= '' then
  redis.call('HSET', forgotten, digest, until_ms)
end
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
for _, id in ipairs(redis.call('HKEYS', transfers)) do
  if string.find(id, 'moved:' .. digest .. ':', 1, true) == 1 then
    redis.call('HDEL', transfers, id)
  end
end
local removed = redis.call('DEL', state, record, link) + redis.call('ZREM', due, customer)
redis.call('HSET', offsets, 'writer', writer)
return {removed, left}
