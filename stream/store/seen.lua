-- Which events Kafka has already: sets of 64-bit numbers, small enough to stay integer sets.
--
-- KEYS: agos:seen
-- ARGV: 'known' or 'add', now in ms, then the numbers as text
-- A number's last digits name its set, the generation in force is written, the last ones are read.
local GENERATIONS, GENERATION_MS, FULL = 4, 8 * 3600 * 1000, 500
local meta, what, now = KEYS[1], ARGV[1], tonumber(ARGV[2])
local found = redis.call('HMGET', meta, 'generation', 'since_ms')
local generation, since = tonumber(found[1] or '0'), tonumber(found[2] or '0')

local function set_of(of, number)
  return meta .. ':' .. of .. ':' .. string.sub('000' .. (string.gsub(number, '-', '')), -4)
end

if what == 'known' then
  local known = {}
  for i = 3, #ARGV do
    for back = 0, GENERATIONS - 1 do
      if redis.call('SISMEMBER', set_of(generation - back, ARGV[i]), ARGV[i]) == 1 then
        known[#known + 1] = ARGV[i]
        break
      end
    end
  end
  return known
end

local gone = -1
if now - since >= GENERATION_MS then
  gone = generation + 1 - GENERATIONS
  generation = generation + 1
  redis.call('HSET', meta, 'generation', generation, 'since_ms', ARGV[2])
end
for i = 3, #ARGV do
  local key = set_of(generation, ARGV[i])
  redis.call('SADD', key, ARGV[i])
  if redis.call('SCARD', key) >= FULL and gone < 0 then
    -- The bound on memory: the oldest generation goes before its time.
    gone = generation + 1 - GENERATIONS
    generation = generation + 1
    redis.call('HSET', meta, 'generation', generation, 'since_ms', ARGV[2])
  end
end
return gone
