-- The trainer's state and the offset of the samples that it has seen; and a new snapshot, if any.
--
-- KEYS: trainer, model, segments
-- ARGV: offset expected, offset now, writer expected, writer now, state, topic id, then the model's
--       fields, the segments to write and the segments to drop, each list after its count.
-- Refused unless offset and writer are what this trainer knows: two are never both in force.
local trainer, model, segments = KEYS[1], KEYS[2], KEYS[3]
local stored = redis.call('HMGET', trainer, 'offset', 'writer')
if (stored[1] or '') ~= ARGV[1] or (stored[2] or '') ~= ARGV[3] then
  return {0, stored[1] or '', stored[2] or ''}
end
local at = 6
local function take()
  at = at + 1
  return ARGV[at]
end
local published = tonumber(take())
for _ = 1, published do
  redis.call('HSET', model, take(), take())
end
for _ = 1, tonumber(take()) do
  redis.call('HSET', segments, take(), take())
end
for _ = 1, tonumber(take()) do
  redis.call('HDEL', segments, take())
end
redis.call('HSET', trainer, 'offset', ARGV[2], 'writer', ARGV[4], 'state', ARGV[5], 'id', ARGV[6])
if published > 0 then
  redis.call('PUBLISH', model, 'published')
end
return {1, ARGV[2], ARGV[4]}
