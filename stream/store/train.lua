-- The trainer's state and the offset of the samples that it has seen; and a new snapshot, if any.
--
-- KEYS: trainer, model, segments, league, alerts
-- ARGV: offset expected, offset now, writer expected, writer now, state, topic id, first id never
--       used, the league's document (empty: as it is), alerts to keep; then the model's fields, the
--       segments to write, the segments to drop and the alerts, each list after its count, each
--       alert a list of its own.
-- Refused unless offset and writer are what this trainer knows: two are never both in force.
local trainer, model, segments, league, alerts = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local stored = redis.call('HMGET', trainer, 'offset', 'writer')
if (stored[1] or '') ~= ARGV[1] or (stored[2] or '') ~= ARGV[3] then
  return {0, stored[1] or '', stored[2] or ''}
end
local at = 9
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
for _ = 1, tonumber(take()) do
  local fields = {}
  for i = 1, tonumber(take()) do
    fields[i] = take()
  end
  redis.call('XADD', alerts, 'MAXLEN', '~', ARGV[9], '*', unpack(fields))
end
if ARGV[8] ~= '' then
  redis.call('SET', league, ARGV[8])
end
-- Ids that customers may still be in are never given to other segments.
if tonumber(ARGV[7]) > tonumber(redis.call('HGET', model, 'next_id') or '0') then
  redis.call('HSET', model, 'next_id', ARGV[7])
end
redis.call('HSET', trainer, 'offset', ARGV[2], 'writer', ARGV[4], 'state', ARGV[5], 'id', ARGV[6])
if published > 0 then
  redis.call('PUBLISH', model, 'published')
end
return {1, ARGV[2], ARGV[4]}
