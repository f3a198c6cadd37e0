-- Which events Kafka has already: 64-bit numbers, packed into the fields of a hash.
--
-- KEYS: agos:seen
-- ARGV: 'known' or 'add', then of every number its first 16 bits (2 bytes), and its last 48 bits
-- (6 bytes)
-- The first 16 bits are a field, the last 48 stand in it one behind the other, the oldest first.
-- Answers 'known' with the places of those that are there, counted from 0.
local SIZE = 6
-- Numbers in one field, then the oldest go: 2,040 bytes, with Redis' own four a block of 2,048.
local MOST = 340
-- Two days after the last write the hash goes.
local IDLE_SECONDS = 172800
local key, what, names, rests = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local fields = {}
for i = 1, #names / 2 do
  fields[i] = string.sub(names, 2 * i - 1, 2 * i)
end
local stored = redis.call('HMGET', key, unpack(fields))

local function has(numbers, rest)
  local at = string.find(numbers, rest, 1, true)
  while at and at % SIZE ~= 1 do
    at = string.find(numbers, rest, at + 1, true)
  end
  return at
end

local found, changed = {}, {}
for i, field in ipairs(fields) do
  local numbers, rest = changed[field] or stored[i], string.sub(rests, SIZE * i - 5, SIZE * i)
  if numbers and has(numbers, rest) then
    found[#found + 1] = i - 1
  elseif what == 'add' then
    changed[field] = string.sub(numbers or '', -SIZE * (MOST - 1)) .. rest
  end
end
if next(changed) then
  local arguments = {}
  for field, numbers in pairs(changed) do
    arguments[#arguments + 1] = field
    arguments[#arguments + 1] = numbers
  end
  redis.call('HSET', key, unpack(arguments))
  redis.call('EXPIRE', key, IDLE_SECONDS)
end
return found
