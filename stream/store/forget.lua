-- Forgets one customer, all or nothing, and may mark it as forgotten.
--
-- KEYS: states, customer, due, offsets, segments, forgotten, link, transfers
-- ARGV: customer, digest, forgotten until (ms; empty: no mark), writer, how many partitions there
-- are, as the offsets have it, and if only an idle customer is to go, when it must have been seen
-- last before (ms)
-- The partition's writer is replaced: a worker that has the customer in memory is refused its next
-- write, drops what it remembers of the partition and reads it again.
local states, record, due, offsets, segments, forgotten =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local link, transfers = KEYS[7], KEYS[8]
local customer, digest, until_ms, writer = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local division, before_ms = ARGV[5], ARGV[6]

if before_ms then
  local seen = redis.call('HGET', record, 'last_seen')
  if not seen or tonumber(seen) >= tonumber(before_ms) then
    return {0, 0}
  end
end
local divided = redis.call('HGET', offsets, 'partitions')
if divided and divided ~= division then
  return redis.error_reply('AGOS is divided into other partitions: ' .. divided)
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
local removed = redis.call('HDEL', states, customer) + redis.call('DEL', record, link)
  + redis.call('ZREM', due, customer)
redis.call('HSET', offsets, 'writer', writer, 'partitions', division)
return {removed, left}
