-- One batch of one partition, all or nothing.
--
-- KEYS: offsets, due, categories, counters, changes
-- ARGV: topic, prev, next, topic id, writer expected, writer now, constants, groups, memberships,
--       changes, due times, categories, counters
-- Each list begins with its count. Refused (nothing is written) unless both the topic's offset
-- and the partition's last writer are what the worker computed from.
local offsets, due, categories, counters, changes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local at = 0
local function take()
  at = at + 1
  return ARGV[at]
end
local function count()
  return tonumber(take())
end

local topic, prev, next_offset, topic_id = take(), take(), take(), take()
local expected, writer = take(), take()
local stored = redis.call('HMGET', offsets, topic, 'writer')
if (stored[1] or '') ~= prev or (stored[2] or '') ~= expected then
  return {0, stored[1] or '', stored[2] or ''}
end

-- Fields that are the same for every customer of the batch: name, value, name, value, …
local constants = {}
for i = 1, 2 * count() do
  constants[i] = take()
end
local source = take()

-- Customers whose record is written with the same fields; with the offset of their last event,
-- if an event it was.
for _ = 1, count() do
  local names = {}
  for i = 1, count() do
    names[i] = take()
  end
  local sourced = take() == '1'
  local record, fixed = {}, 1 + 2 * #names
  if sourced then
    fixed = fixed + 2
    record[fixed - 1] = 'source'
  end
  for i = 1, #constants do
    record[fixed + i] = constants[i]
  end
  for _ = 1, count() do
    local id = take()
    redis.call('SET', 'agos:state:' .. id, take())
    record[1] = 'agos:customer:' .. id
    for i = 1, #names do
      record[2 * i] = names[i]
      record[2 * i + 1] = take()
    end
    if sourced then
      record[fixed] = source .. take()
    end
    redis.call('HSET', unpack(record, 1, fixed + #constants))
  end
end

for _ = 1, count() do
  local customer, segment, entered = take(), take(), take()
  local key = 'agos:segment:' .. segment .. ':members'
  if entered == '' then
    redis.call('ZREM', key, customer)
  else
    redis.call('ZADD', key, entered, customer)
  end
end

local keep = take()
for _ = 1, count() do
  local record = {}
  for i = 1, count() do
    record[i] = take()
  end
  redis.call('XADD', changes, 'MAXLEN', '~', keep, '*', unpack(record))
  redis.call('PUBLISH', changes, take())
end

for _ = 1, count() do
  local customer, moment = take(), take()
  if moment == '' then
    redis.call('ZREM', due, customer)
  else
    redis.call('ZADD', due, moment, customer)
  end
end

for _ = 1, count() do
  redis.call('HSET', categories, take(), take())
end

for _ = 1, count() do
  redis.call('HINCRBY', counters, take(), take())
end

if topic ~= '' then
  redis.call('HSET', offsets, topic, next_offset, topic .. ':id', topic_id, 'writer', writer)
else
  redis.call('HSET', offsets, 'writer', writer)
end
return {1, next_offset, writer}
