-- Batches of some partitions, each all or nothing.
--
-- KEYS: changes, relay; of each partition: offsets, states, due, categories, counters, transfers
-- ARGV: how many partitions there are, as the offsets have it; of each partition one MessagePack
--       array: writer expected, writer now, moves, constants, groups, memberships, changes, due
--       times, categories, counters, links
-- Each list begins with its count; a move is topic, prev, next, topic id. A partition's batch is
-- refused (nothing of it is written) unless the offsets of all topics that move and its last
-- writer are what the worker computed from. Returns of each whether it was applied; if not, the
-- topic@offset that is stored; who wrote last; how many change records Kafka does not have yet
-- (-1: there are no new ones).
local changes, relay, division = KEYS[1], KEYS[2], ARGV[1]
-- Lua hands over no more than 8,000 arguments at once.
local MOST = 4000

local function apply(argument, offsets, states, due, categories, counters, transfers)
  local packed, at = cmsgpack.unpack(argument), 0
  local function take()
    at = at + 1
    return packed[at]
  end

  local expected, writer = take(), take()
  local stored_writer = redis.call('HGET', offsets, 'writer') or ''
  if stored_writer ~= expected then
    return {0, '', stored_writer, -1}
  end
  -- Field, value, field, value, … of the offsets.
  local moved = {'writer', writer}
  if stored_writer == '' then
    moved[3], moved[4] = 'partitions', division
  end
  for _ = 1, take() do
    local topic, prev, next_offset, topic_id = take(), take(), take(), take()
    local stored = redis.call('HGET', offsets, topic) or ''
    if stored ~= prev then
      return {0, topic .. '@' .. stored, stored_writer, -1}
    end
    local at_field = #moved
    moved[at_field + 1], moved[at_field + 2] = topic, next_offset
    moved[at_field + 3], moved[at_field + 4] = topic .. ':id', topic_id
  end

  -- Fields that are the same for every customer of the batch: name, value, name, value, …
  local constants = {}
  for i = 1, 2 * take() do
    constants[i] = take()
  end

  -- Customers whose record is written with the same fields; with the place of their last event,
  -- if an event it was.
  for _ = 1, take() do
    local names = {}
    for i = 1, take() do
      names[i] = take()
    end
    local sourced = take()
    local stored, record, width, fixed = {}, {}, #names, 1 + 2 * #names
    for i = 1, width do
      record[2 * i] = names[i]
    end
    if sourced then
      fixed = fixed + 2
      record[fixed - 1] = 'source'
    end
    for i = 1, #constants do
      record[fixed + i] = constants[i]
    end
    for _ = 1, take() do
      local id = take()
      stored[#stored + 1], stored[#stored + 2] = id, take()
      if #stored == MOST then
        redis.call('HSET', states, unpack(stored))
        stored = {}
      end
      record[1] = '$customer' .. id
      for i = 1, width do
        record[2 * i + 1] = packed[at + i]
      end
      at = at + width
      if sourced then
        record[fixed] = take()
      end
      redis.call('HSET', unpack(record, 1, fixed + #constants))
    end
    if #stored > 0 then
      redis.call('HSET', states, unpack(stored))
    end
  end

  for _ = 1, take() do
    local customer, segment, entered = take(), take(), take()
    local key = '$segment' .. segment .. '$members'
    if entered == '' then
      redis.call('ZREM', key, customer)
    else
      redis.call('ZADD', key, entered, customer)
    end
  end

  local keep, new = take(), take()
  local uncopied = -1
  if new > 0 then
    uncopied = redis.call('HINCRBY', relay, 'added', new)
      - (tonumber(redis.call('HGET', relay, 'copied') or '0'))
  end
  for _ = 1, new do
    local record = {}
    for i = 1, take() do
      record[i] = take()
    end
    -- What Kafka does not have yet is never trimmed.
    if uncopied <= keep then
      redis.call('XADD', changes, 'MAXLEN', '~', keep, '*', unpack(record))
    else
      redis.call('XADD', changes, '*', unpack(record))
    end
    redis.call('PUBLISH', changes, take())
  end

  for _ = 1, take() do
    local customer, moment = take(), take()
    if moment == '' then
      redis.call('ZREM', due, customer)
    else
      redis.call('ZADD', due, moment, customer)
    end
  end

  for _ = 1, take() do
    redis.call('HSET', categories, take(), take())
  end

  for _ = 1, take() do
    redis.call('HINCRBY', counters, take(), take())
  end

  -- Customers that are others from now on: whatever was written of them above is of the past.
  for _ = 1, take() do
    local id, target, state, transfer_id, transfer = take(), take(), take(), take(), take()
    redis.call('HSET', states, id, state)
    if target == '' then
      redis.call('DEL', '$link' .. id)
    else
      redis.call('SET', '$link' .. id, target)
      redis.call('DEL', '$customer' .. id)
    end
    if transfer ~= '' then
      redis.call('HSET', transfers, transfer_id, transfer)
    end
  end

  redis.call('HSET', offsets, unpack(moved))
  return {1, '', writer, uncopied}
end

local replies = {}
for i = 1, #ARGV - 1 do
  replies[i] = apply(ARGV[i + 1], unpack(KEYS, 6 * i - 3, 6 * i + 2))
end
return replies
