--[[
  Which substation takes so many watts, and its room: the least loaded that has so much. Only a window of the least loaded
  is looked at; if none of them has room, the one with the most room has, or nobody. Nothing grows with the number of
  substations but a logarithm.
]]
local avoid, avoided = {}, 0
for _, id in ipairs(asked.avoid or {}) do
  avoid[id] = true
  avoided = avoided + 1
end

-- Nothing fits if it does not fit the one with the most room.
local function roomiest()
  local leaders = call('ZREVRANGE', HEADROOM, 0, avoided, 'WITHSCORES')
  for i = 1, #leaders, 2 do
    if not avoid[leaders[i]] then return leaders[i], tonumber(leaders[i + 1]) end
  end
end

local function least_loaded_with_room(watts, first, last)
  local nearest = call('ZRANGE', LOAD, first, last)
  if #nearest == 0 then return end
  local room = call('ZMSCORE', HEADROOM, unpack(nearest))
  for i, id in ipairs(nearest) do
    local free = tonumber(room[i])
    if not avoid[id] and free >= watts then return id, free end
  end
end

-- Mostly the first has room; anything else is read only when it has not.
local FIRST_LOOK = 1
local function pick(watts)
  local id, room = least_loaded_with_room(watts, 0, FIRST_LOOK - 1)
  if id then return id, room end
  local leader, most = roomiest()
  if not leader or most < watts then return end
  id, room = least_loaded_with_room(watts, FIRST_LOOK, asked.window + avoided - 1)
  if id then return id, room end
  return leader, most
end

local seen = {}
local function substation_of(id)
  seen[id] = seen[id] or read(SUBSTATIONS, id) or { url = '' }
  return seen[id]
end
