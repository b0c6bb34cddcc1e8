--[[
  Picks a substation for each request and commits its watts there, in one atomic step.

  ARGV[2]  { requests: [{ session, vehicle, watts, energy_wh, ready_by?, priority? }],
             avoid: [substation],   -- those that have just refused these requests
             ttl,                   -- ms until a reservation that no heartbeat confirms is looked at again
             window }               -- how many of the least loaded are looked at
  returns  for each request { outcome, state, substation, url, epoch, attempt, watts, energy_wh, accepted }
             placed       the watts are held; energy_wh is what is still missing
             interrupted  known, and nobody has room for it now; a sweep places it as soon as there is
             ended        known, and finished, cancelled or expired before, or its owner's cancel is under way
             conflict     the session id is known with other values
             full         no routable substation has room (nothing is recorded; only the outcome is returned)
             nowhere      no substation is routable at all (likewise)

  A known session id gets its first answer again: the id is the idempotency key.

  O(log N + window) per request for N substations; nothing grows with N but the logarithm.
]]
local avoid, avoided = {}, 0
for _, substation in ipairs(asked.avoid) do
  avoid[substation] = true
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
  for i, substation in ipairs(nearest) do
    if not avoid[substation] and tonumber(room[i]) >= watts then return substation end
  end
end

-- Mostly the first few have room; the rest of the window is read only when none of them has.
local FIRST_LOOK = 4
local function pick(watts)
  local leader, most = roomiest()
  if not leader or most < watts then return end
  return least_loaded_with_room(watts, 0, FIRST_LOOK - 1)
    or least_loaded_with_room(watts, FIRST_LOOK, asked.window + avoided - 1)
    or leader
end

local seen = {}
local function substation_of(id)
  seen[id] = seen[id] or read(SUBSTATIONS, id) or { url = '' }
  return seen[id]
end

local function answer(outcome, record)
  return {
    outcome, record.state, record.substation, substation_of(record.substation).url, record.epoch, record.attempt,
    record.watts, record.energy_wh - record.done, record.accepted,
  }
end

local placed_now = {}
local function place(request, record)
  local substation = pick(record and record.watts or request.watts)
  if not substation then
    if record and record.state == 'interrupted' then return answer('interrupted', record) end
    return { call('EXISTS', HEADROOM) == 1 and 'full' or 'nowhere' }
  end
  if record then
    record.done, record.tried = delivered(request.session, record), nil
    -- Whoever failed with its attempt has said so, and it would be `requested`: this is another caller.
    record.promised = record.promised or record.state == 'interrupted'
  else
    record = {
      vehicle = request.vehicle, watts = request.watts, energy_wh = request.energy_wh,
      ready_by = request.ready_by, priority = request.priority,
      attempt = 0, done = 0, accepted = now,
    }
  end
  enter(record, 'reserved')
  record.substation = substation
  record.epoch = substation_of(substation).epoch
  record.attempt = record.attempt + 1
  hold(request.session, record)
  call('ZADD', DUE, now + asked.ttl, request.session)
  placed_now[request.session] = true
  return answer('placed', record)
end

-- Two callers have this attempt now, and what one of them is told the other does not know.
local function again(request, record)
  if not record.promised and not placed_now[request.session] then
    record.promised = true
    write(request.session, record)
  end
  return answer('placed', record)
end

local function is_another(request, record)
  if record.vehicle ~= request.vehicle or record.watts ~= request.watts then return true end
  -- Of what heartbeats brought back after a loss, no more than that is known.
  if record.adopted then return false end
  return record.energy_wh ~= request.energy_wh or record.ready_by ~= request.ready_by
    or record.priority ~= request.priority
end

local answers = {}
for i, request in ipairs(asked.requests) do
  local record = read(SESSIONS, request.session)
  if not record then
    answers[i] = place(request)
  elseif is_another(request, record) then
    answers[i] = { 'conflict' }
  elseif PLACEABLE[record.state] then
    answers[i] = place(request, record)
  elseif HOLDS_WATTS[record.state] and not record.cancelled then
    answers[i] = again(request, record)
  else
    answers[i] = answer('ended', record)
  end
end
write_counts()
return answers
