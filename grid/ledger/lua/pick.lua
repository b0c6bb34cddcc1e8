--[[
  Which substation takes so many watts: where the fewest slots break, the biggest size first; of equals
  the least loaded. If no size is protected none breaks, and it is the least loaded.

  A slot is room for one charger of a protected size. Free watts are as many slots of the biggest size as fit, what is
  left as many of the next size as fit, and so on. Whoever comes takes the slots in its own watts, wherever that is; it
  breaks those that are lost beyond them. (Never fewer: two pieces have no more slots than the whole.)

  Looked at are some of the least loaded and, if something breaks in each of them, some of the fullest with room: there
  the small pieces are. If none of the first has room, more are looked at; if none of those has, the one with the most
  room has, or nobody. Nothing grows with the number of substations but a logarithm.
]]
local WINDOW, FULLEST = 64, 4

local avoid, avoided = {}, #(asked.avoid or {})
for _, id in ipairs(asked.avoid or {}) do avoid[id] = true end

-- What a slot is worth: more than all smaller ones together that could break, or become whole, with it.
local sizes, worths = asked.protect, {}
for i = #sizes, 1, -1 do
  local smaller = sizes[i + 1]
  worths[i] = smaller and worths[i + 1] * (2 * math.ceil(sizes[i] / smaller) - 1) or 1
end
local FIRST_LOOK = #sizes > 0 and 8 or 1

local known = {}
local function worth_of_slots(watts)
  local sum = known[watts]
  if sum then return sum end
  sum = 0
  local left = watts
  for i, size in ipairs(sizes) do
    local less = left % size
    sum = sum + (left - less) / size * worths[i]
    left = less
  end
  known[watts] = sum
  return sum
end

-- The first where the least breaks, and what that is worth.
local function best_of(watts, ids, rooms)
  local own = worth_of_slots(watts)
  local best, least = nil, math.huge
  for i = 1, #ids do
    local room = tonumber(rooms[i])
    if room >= watts and not avoid[ids[i]] then
      local breaks = worth_of_slots(room) - worth_of_slots(room - watts) - own
      if breaks < least then best, least = ids[i], breaks end
      if breaks == 0 then break end
    end
  end
  return best, least
end

local function least_loaded(watts, first, last)
  local ids = call('ZRANGE', LOAD, first, last)
  if #ids == 0 then return end
  return best_of(watts, ids, call('ZMSCORE', HEADROOM, unpack(ids)))
end

-- From the one with the most room to the one with the least: where limits are equal, that is by load.
local function fullest(watts)
  local found = call('ZRANGEBYSCORE', HEADROOM, watts, '+inf', 'WITHSCORES', 'LIMIT', 0, FULLEST)
  local ids, rooms = {}, {}
  for i = #found - 1, 1, -2 do
    ids[#ids + 1], rooms[#rooms + 1] = found[i], found[i + 1]
  end
  return best_of(watts, ids, rooms)
end

-- Nothing fits if it does not fit the one with the most room.
local function roomiest()
  local leaders = call('ZREVRANGE', HEADROOM, 0, avoided, 'WITHSCORES')
  for i = 1, #leaders, 2 do
    if not avoid[leaders[i]] then return leaders[i], tonumber(leaders[i + 1]) end
  end
end

local function pick(watts)
  local id, breaks = least_loaded(watts, 0, FIRST_LOOK - 1)
  if not id then
    local leader, most = roomiest()
    if not leader or most < watts then return end
    id, breaks = least_loaded(watts, FIRST_LOOK, WINDOW + avoided - 1)
    if not id then id, breaks = best_of(watts, { leader }, { most }) end
  end
  if breaks > 0 then
    local other, its_breaks = fullest(watts)
    if its_breaks < breaks then return other end
  end
  return id
end
